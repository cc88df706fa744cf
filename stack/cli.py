"""The command line: `python -m stack up|down|status|…`. Exit code 1: it failed, the reason is on stderr."""

import argparse
import logging
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

from stack import cli_faults, cli_reindex
from stack.choice import bring_up, current
from stack.compose import ComposeStack
from stack.errors import StackError
from stack.http import FAILURES, ask
from stack.interface import PARTS, SERVICES, Part, Stack
from stack.models import DEFAULT_MODEL
from stack.site import DEFAULT_ROOT
from stack.worker_secret import worker_headers

# Exit codes of `status`.
ALL_READY, NOTHING_RUNS, SOME_NOT_READY = 0, 3, 4

NEXT_STEPS = """
Ready:
  {api}         a page to try it
  {api}/docs    the API
  {worker}         the worker
Next:
  curl {api}/v1/embeddings -H 'content-type: application/json' \\
       -d '{{"model": "{model}", "input": "Hello"}}'
  {ending}"""


Act = Callable[[Stack, Part], object]
ACTS: tuple[tuple[str, Act, str], ...] = (
    ("stop", lambda stack, part: stack.stop(part), "stop one part gracefully"),
    (
        "cut",
        lambda stack, part: stack.cut(part),
        "make one part unreachable: take it off the network, or stop it where there is none",
    ),
    ("mend", lambda stack, part: stack.mend(part), "make a part reachable again after cut"),
    ("pause", lambda stack, part: stack.pause(part), "freeze one part: connections stay open, nothing answers"),
    ("resume", lambda stack, part: stack.resume(part), "resume a paused part"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    logging.getLogger().handlers[0].setFormatter(_Elapsed())
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
    try:
        stack = bring_up(options.root) if options.name == "up" else current(options.root)
        command: Callable[[Stack, argparse.Namespace], int] = options.command
        return command(stack, options)
    except (StackError, OSError) as error:  # OSError: a disk that is full or read-only, a folder of someone else
        print(f"stack {options.name}: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print(f"stack {options.name}: interrupted", file=sys.stderr)
    return 1


class _Elapsed(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return f"{record.relativeCreated / 1000:6.1f} s  {record.getMessage()}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m stack", description="Run the system, or a part of it.")
    parser.add_argument("--root", type=Path, default=DEFAULT_ROOT, help="folder of data and logs (%(default)s)")
    commands = parser.add_subparsers(dest="name", required=True)

    def add(name: str, command: Callable[[Stack, argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(command=command)
        return sub

    add("up", _up, "start each part that doesn't run, and wait until all are ready")
    add("down", _down, "stop everything; documents stay, except in a cluster, where they are deleted")
    add("discard", _discard, "stop everything and delete all documents; exported models stay")
    add("status", _status, "show what runs (exit code 0: all parts are ready, 3: nothing runs, 4: anything else)")
    add("images", _images, "build the images of the services, as up does with compose")
    add("urls", _urls, "print addresses, with user names and passwords")
    for name, command, text in (
        ("start", _start, "start one part, and wait until it is ready"),
        ("restart", _restart, "stop and start one part"),
    ):
        sub = add(name, command, text)
        sub.add_argument("part", choices=get_args(Part))
        sub.add_argument("settings", nargs="*", type=setting, metavar="NAME=VALUE", help="settings of this start only")
    for name, act, text in ACTS:
        add(name, _to_part(act), text).add_argument("part", choices=get_args(Part))
    add("logs", _logs, "print the log of one part").add_argument("part", choices=get_args(Part))
    sub = add("signal", _signal, "signal the main process of one part")
    sub.add_argument("part", choices=get_args(Part))
    sub.add_argument("signal", type=signal_name, help="a name (HUP, SIGTERM) or a number")
    sub.add_argument("--process", action="store_true", help="signal one process that serves requests instead")
    text = "replace a service and all its replicas: new ones are ready before old ones drain"
    add("roll", _to_part(lambda stack, part: stack.roll(part)), text).add_argument("part", choices=SERVICES)
    text = "set the number of replicas of a service, and print their addresses (embedded: the api calls the first)"
    sub = add("scale", _scale, text)
    sub.add_argument("part", choices=SERVICES)
    sub.add_argument("replicas", type=replicas)
    cli_reindex.add_to(add)
    cli_faults.add_to(add)
    return parser


def replicas(text: str) -> int:
    if not (text.isdecimal() and int(text)):
        raise ValueError(text)
    return int(text)


def setting(text: str) -> tuple[str, str]:
    name, found, value = text.partition("=")
    if not (name and found):
        raise ValueError(text)
    return name, value


def signal_name(text: str) -> signal.Signals:
    if text.isdecimal():
        return signal.Signals(int(text))
    name = text.upper().removeprefix("SIG")
    try:
        return signal.Signals[f"SIG{name}"]
    except KeyError:
        raise ValueError(text) from None


def _to_part(act: Act) -> Callable[[Stack, argparse.Namespace], int]:
    """The command that does this to the part that its caller names."""

    def command(stack: Stack, options: argparse.Namespace) -> int:
        act(stack, options.part)
        return 0

    return command


def _up(stack: Stack, _options: argparse.Namespace) -> int:
    worker = stack.url("worker")
    print(NEXT_STEPS.format(api=stack.url("api"), worker=worker, ending=stack.ending, model=_model(worker)))
    return 0


def _model(worker: str) -> str:
    """The name of the model that a worker serves, or that of the default one if it doesn't tell."""
    try:
        name: str = ask(f"{worker}/model", timeout=5, more=worker_headers()).json()["model"]
    except (*FAILURES, ValueError, KeyError):
        return DEFAULT_MODEL
    return name


def _images(_stack: Stack, options: argparse.Namespace) -> int:
    ComposeStack(options.root).project.make_images(SERVICES)
    return 0


def _down(stack: Stack, _options: argparse.Namespace) -> int:
    stack.down()
    return 0


def _discard(stack: Stack, _options: argparse.Namespace) -> int:
    stack.discard()
    return 0


def _status(stack: Stack, _options: argparse.Namespace) -> int:
    parts = stack.status()
    for part in parts:
        print(f"{part.part:11} {part.pid or '-':>8}  {part.detail}")
    lacks_proxy = stack.lacks_proxy()
    if lacks_proxy:
        print(cli_faults.LACKING)
    if all(part.ready for part in parts) and not lacks_proxy:
        return ALL_READY
    return SOME_NOT_READY if any(part.running for part in parts) else NOTHING_RUNS


def _urls(stack: Stack, _options: argparse.Namespace) -> int:
    for part in PARTS:
        print(f"{part:9} {stack.url(part)}")
    return 0


def _start(stack: Stack, options: argparse.Namespace) -> int:
    stack.start(options.part, environment=_breakable(stack, options))
    return 0


def _restart(stack: Stack, options: argparse.Namespace) -> int:
    stack.restart(options.part, environment=_breakable(stack, options))
    return 0


def _breakable(stack: Stack, options: argparse.Namespace) -> dict[str, str]:
    """The settings; FAULTS_ENABLED=1 leads an api through the proxy, as it does for `up`."""
    settings = dict(options.settings)
    stack.detoured = stack.detoured or settings.get("FAULTS_ENABLED") == "1"
    return settings


def _scale(stack: Stack, options: argparse.Namespace) -> int:
    for address in stack.scale(options.part, options.replicas):
        print(address)
    return 0


def _signal(stack: Stack, options: argparse.Namespace) -> int:
    (stack.signal_process if options.process else stack.signal)(options.part, options.signal)
    return 0


def _logs(stack: Stack, options: argparse.Namespace) -> int:
    print(stack.logs(options.part), end="")
    return 0
