"""`python -m drills`: what is made from the matrix. `make drills` runs them."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from drills import chaostoolkit
from drills.document import FILE, document

EXPERIMENTS = Path("reports/chaostoolkit")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write docs/drills.md, or the experiments."""
    parser = argparse.ArgumentParser(prog="python -m drills", description="Write the table of docs/drills.md anew.")
    commands = parser.add_subparsers(dest="command")
    export = commands.add_parser("export", help="write each drill as an experiment of the Chaos Toolkit")
    export.add_argument("folder", type=Path, nargs="?", default=EXPERIMENTS, help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    if options.command == "export":
        sys.stdout.write("".join(f"{file}\n" for file in chaostoolkit.write(options.folder)))
    else:
        FILE.write_text(document())
    return 0


if __name__ == "__main__":
    sys.exit(main())
