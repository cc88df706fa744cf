"""`make coldstart-check`: fails when readiness precedes warmth, or when the start budget is too small.

Starts the worker of the recorded stack 20 times with the default engine, or reads an earlier measurement.
"""

import argparse
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from loadtest.lab import gate
from loadtest.lab.disturbance import MARK, banner
from loadtest.lab.measurement import Measurement, Trial
from loadtest.lab.run import Lab
from loadtest.lab.session import recorded_stack
from loadtest.lab.shapes import AskError
from loadtest.lab.strategies import chosen
from stack import StackError
from stack.site import DEFAULT_ROOT, REPOSITORY

FOLDER = REPOSITORY / "reports" / "coldstart-check"


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0 when all is well, 1 when it isn't, 2 when the machine was too busy to tell."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # SIGTERM acts as Ctrl-C
    try:
        measurement = Measurement.load(options.measured) if options.measured else _measure(options)
    except (StackError, AskError, ValueError, OSError) as error:
        print(f"coldstart-check: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("coldstart-check: interrupted", file=sys.stderr)
        return 1
    return judge(measurement, options.strategy, gate.start_budget(options.compose))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m loadtest.coldstart_check", description=__doc__)
    parser.add_argument("--trials", type=int, default=gate.MIN_STARTS, help="starts (%(default)s)")
    parser.add_argument("--strategy", default="artifact", help="strategy to check (%(default)s)")
    parser.add_argument("--measured", type=Path, help="a summary.json to read instead of measuring")
    parser.add_argument("--compose", type=Path, default=REPOSITORY / "compose.yaml", help="file with the start budget")
    parser.add_argument(
        "--folder", type=Path, default=REPOSITORY / "reports/coldstart-check", help="folder of the measurement"
    )
    parser.add_argument("--root", type=Path, default=DEFAULT_ROOT, help="folder of the stack")
    return parser


def _measure(options: argparse.Namespace) -> Measurement:
    lab = Lab(recorded_stack(options.root), options.folder)
    return lab.measure(chosen(options.strategy), ["quiet"], options.trials)


def judge(measurement: Measurement, strategy: str, budget: float) -> int:
    """Print the results; returns the exit code."""
    trials, disturbed = measurement.of(strategy), banner(measurement, [strategy])
    busy = disturbed or _too_few(trials)
    mark = MARK if disturbed else ""
    for shape, values in gate.ratios(trials).items():
        spread = f"{min(values):.2f} to {max(values):.2f}"
        print(f"first request / steady p50, {shape:13} {median(values):.2f}{mark} ({spread}, {len(values)} starts)")
    cold = [] if disturbed else gate.cold(trials)
    problems = cold + gate.over_budget(measurement.starts(strategy), budget)
    for problem in problems:
        print(f"FAILED: {problem}", file=sys.stderr)
    if busy and not cold:
        print(f"UNDECIDED whether readiness means warm. {busy}", file=sys.stderr)
    elif not problems:
        print(f"Readiness means warm in the median of the starts, and the start budget of {budget:g} s is enough.")
    return 1 if problems else 2 if busy else 0


def _too_few(trials: Sequence[Trial]) -> str:
    count = sum(bool(each.shapes) for each in trials)
    if count >= gate.MIN_UNDISTURBED:
        return ""
    return f"Undisturbed starts measured: {count}; their median needs at least {gate.MIN_UNDISTURBED}."


if __name__ == "__main__":
    sys.exit(main())
