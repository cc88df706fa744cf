"""`python -m loadtest.report FOLDER`: makes the page and the picture of a folder's summary.json again."""

import sys
from pathlib import Path

from loadtest.lab.measurement import Measurement
from loadtest.report.page import write

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    write(Measurement.load(folder / "summary.json"), folder)
