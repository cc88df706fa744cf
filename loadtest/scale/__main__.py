"""`python -m loadtest.scale`, or `make scale`: how the cost of documents and searches grows with their number.

Stores 10,000 and 100,000 documents, with --full 1,000,000, in a stack of its own, and measures at each size: the speed
of storing beside the worker's own limit, searches with several filters by 1, 8 and 32 clients, recall, memory, sizes.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from loadtest.bench.ending import end_cleanly_on_sigterm
from loadtest.bench.systems import AT_ONCE
from loadtest.bench.trial import chosen_engine
from loadtest.lab.machine import describe
from loadtest.scale import page
from loadtest.scale.curve import points, table
from loadtest.scale.goals import goals
from loadtest.scale.plan import Plan, Progress
from loadtest.scale.run import Row, Run, TooSlow
from loadtest.variables import positive, positives
from stack import EmbeddedStack, StackError, free_ports
from stack.site import REPOSITORY

REPORTS = REPOSITORY / "reports" / "scale"
SIZES = (10_000, 100_000)
LARGEST = 1_000_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 1 when an answer was wrong, or the run was cut; a missed goal doesn't change it."""
    options = _parser().parse_args(arguments)
    sizes = sorted(options.sizes) or [*SIZES, *([LARGEST] if options.full else [])]
    plan = Plan(sizes, options.rounds, options.seconds, options.queries)
    options.reports.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="scale-") as folder:
        if (free := shutil.disk_usage(folder).free) < plan.disk():
            needed = f"{plan.disk() / 1e9:.0f} GB, {folder} has {free / 1e9:.0f} GB: set TMPDIR"
            print(f"scale: {sizes[-1]:,} documents take up to {needed}", file=sys.stderr)
            return 2
        return _report(*_run(plan, Path(folder), options.reports / "rows.jsonl"), options.reports)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m loadtest.scale", description=__doc__)
    parser.add_argument(
        "--sizes", type=_sizes, default=positives("SIZES", int), help="numbers of documents, separated by commas"
    )
    parser.add_argument(
        "--full", action="store_true", default=bool(os.environ.get("FULL")), help=f"also {LARGEST:,} documents"
    )
    parser.add_argument("--rounds", type=int, default=positive("ROUNDS", Plan.rounds), help="of searches")
    parser.add_argument("--seconds", type=float, default=positive("SECONDS", Plan.seconds), help="of each case")
    parser.add_argument("--queries", type=int, default=Plan.queries, help="compared with exact searches")
    parser.add_argument("--reports", type=Path, default=REPORTS, help="folder of the results")
    return parser


def _sizes(text: str) -> list[int]:
    return [int(each) for each in text.replace(",", " ").split()]


def _run(plan: Plan, folder: Path, file: Path) -> tuple[list[Row], str]:
    """The rows, and why there are not all."""
    progress = Progress(plan)
    sizes = ", ".join(f"{size:,}" for size in plan.sizes)
    most = f"it stores nothing more after {progress.until_minutes:.0f}"
    print(f"{sizes} documents: about {progress.expected / 60:.0f} minutes; {most}", flush=True)
    rows: list[Row] = []
    try:
        with (
            file.open("w") as out,
            EmbeddedStack(folder, free_ports(), environment={**AT_ONCE, "ENGINE": chosen_engine()}) as stack,
        ):
            progress.say("the stack serves")
            for row in Run(stack, plan, progress).rows():
                rows.append(row)
                out.write(json.dumps(row) + "\n")
                out.flush()
    except (TooSlow, StackError, OSError) as error:
        return rows, f"{type(error).__name__}: {error}"
    return rows, ""


def _report(rows: list[Row], cut: str, folder: Path) -> int:
    wrong = [row["errors"] for row in rows if row.get("errors")]
    if found := points(rows):
        bounds = goals(found)
        lines = [f"{row[0]:<52}" + "".join(f"{cell:>22}" for cell in row[1:]) for row in table(found)]
        text = "\n".join([*lines, "", *map(str, bounds)])
        (folder / "table.txt").write_text(text + "\n")
        page.write(found, bounds, describe("embedded"), folder)
        print(f"\n{text}\n\n{folder}: rows.jsonl, table.txt, index.html, {page.PICTURE}")
    if cut:
        print(f"scale: ended early: {cut}", file=sys.stderr)
    if wrong:
        print(f"scale: answers that were wrong or missing: {wrong}", file=sys.stderr)
    return 1 if cut or wrong else 0


if __name__ == "__main__":
    end_cleanly_on_sigterm()
    sys.exit(main())
