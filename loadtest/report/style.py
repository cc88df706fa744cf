"""Colours and fonts. The colours are Okabe and Ito's, which people with any colour vision can tell apart."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl

mpl.use("Agg")  # no display is needed

ORANGE, SKY, GREEN, YELLOW = "#E69F00", "#56B4E9", "#009E73", "#F0E442"
BLUE, RED, PINK, GREY = "#0072B2", "#D55E00", "#CC79A7", "#8C8C8C"
LIGHT = "#D9D9D9"

# By strategy, wherever each is a line or a cloud of points.
LINES = {"lazy": RED, "blocking": ORANGE, "warm": BLUE, "artifact": GREEN}
OTHERS = (PINK, GREY, SKY, "black")


def colour(strategy: str, index: int) -> str:
    """The colour of a strategy; strategies without their own take the others in turn."""
    return LINES.get(strategy, OTHERS[index % len(OTHERS)])


@contextmanager
def styled() -> Iterator[None]:
    """Inside, pictures have this style."""
    settings: Any = {
        "font.size": 10,
        "axes.titlesize": 11,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.frameon": False,
        "figure.dpi": 110,
        "svg.fonttype": "none",
    }
    with mpl.rc_context(settings):
        yield
