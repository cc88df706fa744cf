"""The command line: `python -m api.reindex STEP`."""

import argparse
import asyncio
import logging
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from api.postgres_errors import StatementError
from api.reindex.ending import abandon, finish
from api.reindex.job import Job
from api.reindex.output import Output
from api.reindex.prepare import prepare
from api.reindex.serving import cut_over, roll_back
from api.reindex.status import status
from api.settings import ApiSettings
from api.store.replacement import ReplacementError
from warmstart.errors import DependencyUnavailable
from warmstart.lifecycle.health import reason
from warmstart.vault.load import load

MISFIT = 4  # exit status: to try again doesn't help, and a Kubernetes Job doesn't
STEPS = {
    "prepare": "embed all documents for the model at NEXT_WORKER_URL, and compare it with the served one (the default)",
    "cut-over": "let searches use the new model",
    "roll-back": "let searches use the old model again",
    "finish": "drop the old model's vectors",
    "abandon": "drop the new model's vectors",
    "status": "say what is under way",
}


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The step and its options; argparse writes what is wrong with them, and exits with status 2."""
    parser = argparse.ArgumentParser("python -m api.reindex", description="Replace the model while it serves.")
    steps = parser.add_subparsers(dest="step", metavar="STEP")
    parsers = {name: steps.add_parser(name, help=told, description=told) for name, told in STEPS.items()}
    first = parsers["prepare"]
    first.add_argument("--cut-over", action="store_true", help="go on to cut-over")
    first.add_argument("--queries", type=Path, metavar="FILE", help="queries to compare both models with, one a line")
    first.add_argument("--samples", type=number, default=50, help="or so many documents' first sentences (%(default)s)")
    for name in ("prepare", "cut-over", "roll-back", "finish", "abandon"):
        told = "documents that may lack a vector in the space that searches use afterwards (%(default)s)"
        parsers[name].add_argument("--lacking", type=number, default=0, help=told)
    told = "without embedding for it first; documents that lack a vector there are not found"
    parsers["roll-back"].add_argument("--at-once", action="store_true", help=told)
    first_is_a_step = arguments and (not arguments[0].startswith("-") or arguments[0] in ("-h", "--help"))
    return parser.parse_args(arguments if first_is_a_step else ["prepare", *arguments])


def number(text: str) -> int:
    """A whole number, or zero. Raises ValueError, of which argparse makes a message with this function's name."""
    if (given := int(text)) < 0:
        raise ValueError
    return given


async def run(settings: ApiSettings, given: argparse.Namespace, output: Output) -> None:
    """Do the step. Raises ReplacementError, DependencyUnavailable, or OSError for a file of queries."""
    lines = given.queries.read_text("utf-8", "replace").splitlines() if getattr(given, "queries", None) else None
    async with Job.open(settings, output) as job:
        match given.step:
            case "prepare":
                await prepare(job, given.samples, lines)
                if given.cut_over:
                    await cut_over(job, given.lacking)
                else:
                    output.line("Next: cut-over, or abandon")
            case "cut-over":
                await cut_over(job, given.lacking)
            case "roll-back":
                await roll_back(job, given.lacking, at_once=given.at_once)
            case "finish":
                await finish(job, given.lacking)
            case "abandon":
                await abandon(job, given.lacking)
            case _:
                await status(job)


def main(arguments: Sequence[str]) -> int:
    """The exit status: 0 when the step is done; with one line that says why not, 4 when it doesn't fit, 1 otherwise."""
    output = Output()
    _stop_at_once()
    logging.getLogger().addHandler(logging.NullHandler())  # drivers log tracebacks of lost connections
    given = parse(arguments)
    try:
        asyncio.run(run(load(ApiSettings), given, output))
    except ReplacementError as error:
        return _failed(output, given, reason(error), MISFIT)
    except (StatementError, OSError) as error:
        return _failed(output, given, reason(error))
    except DependencyUnavailable as error:
        return _failed(output, given, error.message)
    except Exception as error:  # noqa: BLE001 - of a mistake in the code, its place; a message may quote a text
        place = traceback.extract_tb(error.__traceback__)[-1]
        return _failed(output, given, f"{type(error).__name__} in {place.filename}:{place.lineno}")
    return 0


def _failed(output: Output, given: argparse.Namespace, why: str, code: int = 1) -> int:
    output.line(f"{given.step} failed: {why}")
    return code


def _stop_at_once() -> None:
    """On SIGTERM and Ctrl-C. Nothing needs to be closed: Postgres rolls back what was under way."""

    def stop(number: int, _: FrameType | None) -> None:
        said = f"\nStopped by {signal.Signals(number).name}: the same command goes on from there\n"
        os.write(sys.stdout.fileno(), said.encode())  # not by `output`, which may be writing
        os._exit(1)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
