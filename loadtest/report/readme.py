"""`python -m loadtest.report.readme`: writes README's section on cold starts from the committed measurement."""

from pathlib import Path

from loadtest.lab.measurement import Measurement
from loadtest.report import tables
from loadtest.report.figures import overview
from loadtest.report.page import png
from loadtest.report.style import styled
from stack.site import REPOSITORY

MEASURED = REPOSITORY / "loadtest" / "measured" / "coldstart.json"
README = REPOSITORY / "README.md"
PICTURE = REPOSITORY / "docs" / "coldstart.png"
BEGIN, END = "<!-- made by python -m loadtest.report.readme -->", "<!-- until here -->"


def section(measurement: Measurement) -> str:
    """Table and machine, as Markdown."""
    machine = measurement.machine
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    where = (
        f"{machine['cpus']} x {machine['cpu']}, {machine['memory_gib']} GiB, {machine['system']},"
        f" Python {machine['python']} ({machine['stack']}; {versions})"
    )
    return (
        f"{tables.markdown(tables.brief(measurement))}\n\n"
        f"Seconds after exec, median (range). Measured {machine['measured']} on {where}:"
        " [raw figures](loadtest/measured/coldstart.json), [terms](loadtest/README.md)."
    )


def replaced(readme: str, measurement: Measurement) -> str:
    """The README with this measurement in it."""
    before, rest = readme.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{section(measurement)}\n{END}{after}"


def main(readme: Path = README, picture: Path = PICTURE) -> None:
    """Write both."""
    measurement = Measurement.load(MEASURED)
    readme.write_text(replaced(readme.read_text(), measurement))
    with styled():
        picture.write_bytes(png(overview(measurement)))


if __name__ == "__main__":
    main()
