"""Writes `index.html` and the PNG. The page needs no other file."""

import base64
import io
from html import escape
from pathlib import Path
from string import Template

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from loadtest.lab.disturbance import banner
from loadtest.lab.measurement import Measurement, Trial
from loadtest.report import tables
from loadtest.report.figures import all_figures, overview, strategies
from loadtest.report.style import styled

PICTURE = "coldstart.png"

TEMPLATE = Path(__file__).with_name("page.html")


def write(measurement: Measurement, folder: Path) -> None:
    """Write both files."""
    with styled():
        picture = png(overview(measurement))
        more = {title: png(figure) for title, figure in all_figures(measurement).items()}
    (folder / PICTURE).write_bytes(picture)
    (folder / "index.html").write_text(page(measurement, picture, more))


def png(figure: Figure) -> bytes:
    """The figure as a PNG; the figure is closed."""
    out = io.BytesIO()
    figure.savefig(out, format="png")
    plt.close(figure)
    return out.getvalue()


def page(measurement: Measurement, picture: bytes, more: dict[str, bytes]) -> str:
    """The whole text."""
    invalid = [trial for trial in measurement.trials if not trial.valid]
    return Template(TEMPLATE.read_text()).substitute(
        warnings="\n".join([*_banner(measurement), *(_warning(measurement, trial) for trial in invalid)]),
        overview=_image(picture),
        comparison=tables.html(tables.comparison(measurement)),
        settings=tables.html(tables.settings(measurement)),
        failures=tables.html(tables.failures(measurement)),
        warmth=tables.html(tables.warmth(measurement)),
        figures="\n".join(f"<h2>{escape(title)}</h2>{_image(data)}" for title, data in more.items()),
        rolling=_rolling(measurement),
        machine=tables.html(tables.machine(measurement)),
    )


def _banner(measurement: Measurement) -> list[str]:
    said = banner(measurement, strategies(measurement))
    return [f'<p class="bad"><strong>Disturbed.</strong> {escape(said)}</p>'] if said else []


def _warning(measurement: Measurement, trial: Trial) -> str:
    became = "was disturbed" if trial in measurement.of(trial.strategy) else "is left out"
    return f'<p class="bad">Trial {trial.number} ({trial.strategy}) {became}: {escape(trial.reason)}.</p>'


def _image(data: bytes) -> str:
    return f'<img alt="" src="data:image/png;base64,{base64.b64encode(data).decode()}">'


def _rolling(measurement: Measurement) -> str:
    if not measurement.rolling:
        return ""
    return f"<h2>Rolling restart of one of two processes</h2>{tables.html(tables.rolling(measurement))}"
