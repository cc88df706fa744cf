"""The commands that break a running system on purpose: `fault` by a service's switches, `toxic` by connections.

What would be of no effect is refused, in a sentence that says how it would have one. Only the names of threads are not
checked: no service tells them.
"""

import argparse
import json
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import cast

from stack.errors import StackError
from stack.http import FAILURES, ask
from stack.interface import ADDRESSES, SERVICES, Part, Stack
from stack.operator_key import operator_headers
from stack.toxic.toxics import BadToxic, Toxic

Add = Callable[[str, Callable[[Stack, argparse.Namespace], int], str], argparse.ArgumentParser]
LACKING = "the proxy has ended, and the api goes through it: make up starts it again"
SWITCHES = "faults"  # the resource that a service has when it obeys its switches


def add_to(add: Add) -> None:
    """Both commands."""
    sub = add("fault", _fault, "set the fault switches of a service with FAULTS_ENABLED=1; all others are off")
    sub.add_argument("part", choices=SERVICES)
    sub.add_argument(
        "switches",
        nargs="*",
        type=switch,
        metavar="NAME=JSON",
        help="such as unready=true; names of threads (slow_calls, failing_calls) are not checked",
    )
    text = "break the connections between the api and what it needs, on a stack that was made with FAULTS_ENABLED=1"
    actions = add("toxic", _list, text).add_subparsers(required=True, metavar="add|clear|list")
    sub = actions.add_parser("add", help="one more toxic, or the same with other values: toxic add worker latency=300")
    sub.set_defaults(command=_add)
    sub.add_argument("part", choices=ADDRESSES)
    sub.add_argument("toxics", nargs="+", metavar="TOXIC", help="latency=MS jitter=MS, bandwidth rate=KB/s, timeout, …")
    sub = actions.add_parser("clear", help="let the connections of these parts, or of all, be as they are")
    sub.set_defaults(command=_clear)
    sub.add_argument("parts", nargs="*", metavar="part")
    actions.add_parser("list", help="the toxics of each part").set_defaults(command=_list)


def switch(text: str) -> tuple[str, object]:
    name, _, value = text.partition("=")
    return name, json.loads(value)


def _fault(stack: Stack, options: argparse.Namespace) -> int:
    faults = dict(options.switches)
    require_understood(faults)
    require_obeyed(stack, options.part, faults)
    stack.inject(options.part, faults)
    return 0


def require_understood(faults: Mapping[str, object]) -> None:
    """Raise StackError for what a service couldn't understand, as it would obey no switch then, or that is over."""
    from pydantic import ValidationError  # noqa: PLC0415 - other commands begin without these imports

    from warmstart.faults import Faults  # noqa: PLC0415

    if unknown := [name for name in faults if name not in Faults.model_fields]:
        raise StackError(f"{', '.join(unknown)}: no fault switch; there are {', '.join(Faults.model_fields)}")
    for name, value in faults.items():
        text = json.dumps(value)
        try:
            read = Faults.model_validate_json(f'{{"{name}": {text}}}')
        except ValidationError as error:
            meaning = Faults.model_fields[name].description
            raise StackError(f"{name}={text}: {error.errors()[0]['msg']} ({meaning})") from None
        if read.until is not None and read.until <= time.time():
            raise StackError(f"{name}={text}: nothing would happen: it is a Unix time that is over (now: date +%s)")


def require_obeyed(stack: Stack, part: Part, faults: Mapping[str, object]) -> None:
    """Raise StackError for what would be of no effect on the service that runs, as far as it shows its resources."""
    resources = _resources(stack, part)
    if not resources:
        return
    if SWITCHES not in resources:
        raise StackError(
            f"nothing would happen: the {part} that runs was started without FAULTS_ENABLED=1 ({stack.breakable})"
        )
    checked = [each for each in resources if each != SWITCHES]
    failing = cast("Collection[str]", faults.get("failing_checks", ()))
    if unknown := [each for each in failing if each not in checked]:
        raise StackError(f"failing_checks: {', '.join(unknown)}: no resource of {part}; there are {', '.join(checked)}")


def _resources(stack: Stack, part: Part) -> list[str]:
    """Their names, as the service says itself.

    One that doesn't answer may start later, or its switches keep it silent. One that names no resources withholds them:
    this shell has no key of its OPERATOR_KEYS.
    """
    try:
        answer = ask(f"{stack.probe_url(part)}/startupz", more=operator_headers()).json()
        return [each["name"] for each in answer["resources"]]
    except (*FAILURES, StackError, ValueError, KeyError, TypeError):
        return []


def _add(stack: Stack, options: argparse.Namespace) -> int:
    part: Part = options.part
    try:
        new = Toxic.parse(options.toxics)
    except BadToxic as error:
        raise StackError(str(error)) from None
    if stack.lacks_proxy():
        raise StackError(f"nothing would happen: {LACKING}")
    if not stack.has_detour(part):
        raise StackError(f"nothing would happen: the api doesn't reach {part} through the proxy ({stack.breakable})")
    stack.spoil(part, [*stack.toxics(part), *new])
    return 0


def _clear(stack: Stack, options: argparse.Namespace) -> int:
    for part in _parts(options.parts):
        if stack.toxics(part):
            stack.spoil(part, ())
    return 0


def _list(stack: Stack, _options: argparse.Namespace) -> int:
    why = LACKING if stack.lacks_proxy() else "of no effect: the api doesn't go through the proxy"
    for part in ADDRESSES:
        how = "" if stack.has_detour(part) else f"  ({why})"
        print(f"{part:9} {' '.join(str(each) for each in stack.toxics(part)) or '-'}{how}")
    return 0


def _parts(names: Iterable[str]) -> list[Part]:
    if unknown := sorted(set(names) - set(ADDRESSES)):
        raise StackError(f"{', '.join(unknown)}: there are connections to {', '.join(ADDRESSES)}")
    return [part for part in ADDRESSES if not names or part in names]
