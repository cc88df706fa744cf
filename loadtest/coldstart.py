"""`make coldstart`: measures what each way of starting the worker costs its users.

Starts the worker of the recorded stack many times, by every strategy in random order, with and without arrivals. Writes
raw rows, `summary.json`, `index.html` and `coldstart.png`. After Ctrl-C the measurements so far are kept.
"""

import argparse
import logging
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from loadtest.lab.page_cache import may_drop_page_cache
from loadtest.lab.run import KINDS, Lab
from loadtest.lab.session import recorded_stack
from loadtest.lab.shapes import AskError
from loadtest.lab.strategies import FULL, STRATEGIES, Strategy, chosen
from stack import StackError
from stack.site import DEFAULT_ROOT, REPOSITORY

FOLDER = REPOSITORY / "reports" / "coldstart"
IDLE = 15.0  # seconds, with --full


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0, 1 when a start failed or it was interrupted, 2 when figures are of disturbed starts."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # SIGTERM acts as Ctrl-C
    try:
        stack = recorded_stack(options.root)
        lab = Lab(stack, options.folder, idle=IDLE if options.full else 0, more=options.more)
        try:
            strategies = _strategies(options, may_drop=stack.local and may_drop_page_cache())
            measurement = lab.measure(strategies, options.kinds.split(","), options.trials)
            if options.full:
                lab.roll(*chosen("artifact"))
        finally:  # after an interrupt the results so far are kept
            lab.report()
    except (StackError, AskError, ValueError) as error:
        print(f"coldstart: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"coldstart: interrupted; what was measured is in {options.folder}", file=sys.stderr)
        return 1
    return 2 if any(map(measurement.disturbed, measurement.strategies)) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m loadtest.coldstart", description=__doc__)
    parser.add_argument("--trials", type=int, default=10, help="starts of each strategy and kind (%(default)s)")
    parser.add_argument("--strategies", default="", help="comma-separated; by default lazy,blocking,warm,artifact")
    parser.add_argument("--kinds", default=",".join(KINDS), help="users, quiet or both (%(default)s)")
    parser.add_argument(
        "--set",
        type=setting,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting that overrides every strategy's",
    )
    parser.add_argument("--full", action="store_true", help="more strategies, idle times and a rolling restart")
    parser.add_argument(
        "--more",
        action="store_true",
        help="add to the trials in the folder, which must be of the same machine, commit and settings",
    )
    parser.add_argument("--folder", type=Path, default=FOLDER, help="folder of the report")
    parser.add_argument("--root", type=Path, default=DEFAULT_ROOT, help="folder of the stack")
    return parser


def setting(text: str) -> tuple[str, str]:
    """Name and value."""
    name, sign, value = text.partition("=")
    if not name or not sign:
        raise ValueError(text)
    return name, value


def _strategies(options: argparse.Namespace, *, may_drop: bool) -> list[Strategy]:
    above = dict(options.set)
    return [replace(each, settings={**each.settings, **above}) for each in _named(options, may_drop)]


def _named(options: argparse.Namespace, may_drop: bool) -> tuple[Strategy, ...]:
    if options.strategies:
        return chosen(options.strategies)
    if not options.full:
        return STRATEGIES
    if not may_drop:
        print("The page cache can't be dropped from here (root, on the worker's machine): no strategy has a cold one.")
    return tuple(each for each in (*STRATEGIES, *FULL) if not each.cold_cache or may_drop)


if __name__ == "__main__":
    sys.exit(main())
