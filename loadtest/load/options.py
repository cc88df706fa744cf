"""Command-line options of a load test, beside locust's own. The web UI shows them too."""

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

FOLDER = Path("reports/loadtest")


def add_options(parser: ArgumentParser) -> None:
    """Add the options for rates, thresholds and files."""
    group = parser.add_argument_group("Warmstart")
    group.add_argument(
        "--open-rate",
        type=number("OPEN_RATE", 10_000),
        default=0.0,
        env_var="OPEN_RATE",
        help="open-loop requests a second, none if 0",
    )
    group.add_argument(
        "--arrivals", choices=("poisson", "constant"), default="poisson", env_var="ARRIVALS", help="their schedule"
    )
    group.add_argument(
        "--max-failed",
        type=number("MAX_FAILED", 1),
        default=0.001,
        env_var="MAX_FAILED",
        help="share of requests that may fail, from 0 to 1",
    )
    group.add_argument(
        "--max-p95",
        type=number("MAX_P95", 3600),
        default=1.5,
        env_var="MAX_P95",
        help="limit of each kind's p95 in seconds",
    )
    group.add_argument("--rows", type=Path, default=FOLDER, env_var="ROWS", help="folder of the raw rows")


def number(name: str, most: float) -> Callable[[str], float]:
    """Reads a number from 0 to `most`. NaN would keep every threshold; argparse's own exit code, 2, is taken."""

    def read(text: str) -> float:
        with suppress(ValueError):
            if 0 <= (value := float(text)) <= most:
                return value
        sys.exit(f"loadtest: {name}={text} is no number from 0 to {most:,}")

    return read


def headers(_options: Namespace | None = None) -> Mapping[str, str]:
    """The headers of every request: API_KEY of the environment as a bearer token, if it is set."""
    key = os.environ.get("API_KEY")
    return {"Authorization": f"Bearer {key}"} if key else {}
