"""`python -m loadtest.bench`, or `make bench`: measures worker and api beside their peers and limits, in one run."""

import argparse
import json
import os
import sys
from pathlib import Path

from loadtest.bench import table
from loadtest.bench.cases import Durations
from loadtest.bench.ending import end_cleanly_on_sigterm
from loadtest.bench.picture import draw
from loadtest.bench.rounds import Rounds, names, unknown
from loadtest.bench.summary import outcomes, summary
from loadtest.variables import positive
from stack.site import REPOSITORY

REPORTS = REPOSITORY / "reports" / "bench"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m loadtest.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=positive("ROUNDS", 5))
    parser.add_argument(
        "--systems",
        default=os.environ.get("SYSTEMS") or "",
        help="systems, separated by commas; default: " + ", ".join(names()),
    )
    parser.add_argument("--scale", type=float, default=Durations.scale, help="factor for the seconds of each case")
    parser.add_argument("--reports", type=Path, default=REPORTS, help="folder of the results")
    return parser.parse_args()


def main() -> int:
    """Exit code 0 when at least one system was measured without a wrong answer."""
    arguments = _arguments()
    wanted = arguments.systems.replace(",", " ").split() or names()
    if missing := unknown(wanted):
        print(f"no such system: {', '.join(missing)}; there are {', '.join(names())}", file=sys.stderr)
        return 2
    arguments.reports.mkdir(parents=True, exist_ok=True)
    durations = Durations(arguments.scale, min(Durations.warm, arguments.scale))
    with (arguments.reports / "rows.jsonl").open("w") as file:
        rounds = Rounds(wanted, durations, file)
        for row in rounds.run(arguments.rounds):
            print(table.progress(row, arguments.rounds), flush=True)
    return _report(rounds, arguments.rounds, arguments.reports)


def _report(rounds: Rounds, count: int, folder: Path) -> int:
    result = summary(rounds.rows, count)
    (folder / "summary.json").write_text(json.dumps(result, indent=2) + "\n")
    parts = [table.systems(rounds.rows, count), table.failures(rounds.failed), table.goals(outcomes(rounds.rows))]
    text = "\n\n".join(part for part in parts if part)
    (folder / "table.txt").write_text(text + "\n")
    if result["systems"]:
        draw(rounds.rows, count, folder / "bench.png")
    print(f"\n{text}\n\n{folder}: rows.jsonl, summary.json, table.txt, bench.png")
    wrong = any(row.get("errors") for row in rounds.rows)
    return 1 if wrong or not result["systems"] else 0


if __name__ == "__main__":
    end_cleanly_on_sigterm()
    sys.exit(main())
