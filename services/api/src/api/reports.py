"""Reads the figures of the latest reports out of their `summary.json`."""

import json
import logging
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

from pydantic import BaseModel

log = logging.getLogger(__name__)

LARGEST = 64 * 2**20  # bytes; the summary of 88 starts has one megabyte
GOOD = ("held", "failed as it must")


class Strategy(BaseModel):
    """One way of starting the worker, over undisturbed starts: median seconds from exec to its first embedding."""

    name: str
    starts: int
    first_embedding: float


class ColdStart(BaseModel):
    """The last session of the cold-start lab. `page` is its address, below the api's own."""

    measured: str
    machine: str
    strategies: list[Strategy]
    page: str = "reports/coldstart/index.html"


class Drills(BaseModel):
    """The last run of the drills: how many of them, controls included, are as they must be, and which are not."""

    good: int
    bad: list[str]
    requests: int
    lost: int
    page: str = "reports/drills/index.html"


class Reports(BaseModel):
    """What there is; `folder` says whether this service was given a folder of reports at all."""

    folder: bool = False
    coldstart: ColdStart | None = None
    drills: Drills | None = None


def read(folder: Path) -> Reports:
    """All reports; one that is missing, or that can't be understood, is None."""
    return Reports(
        folder=True,
        coldstart=_understood(folder / "coldstart" / "summary.json", _coldstart),
        drills=_understood(folder / "drills" / "summary.json", _drills),
    )


def _understood(file: Path, make: Any) -> Any:
    try:
        return make(json.loads(file.read_bytes())) if file.stat().st_size <= LARGEST else None
    except OSError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        log.warning("%s is no report that is understood: %s", file, error)
        return None


def _coldstart(summary: dict[str, Any]) -> ColdStart:
    found: dict[str, list[float]] = defaultdict(list)
    for trial in summary["trials"]:
        if trial["valid"] and (seconds := trial["start"]["first_embedding"]) is not None:
            found[trial["strategy"]].append(seconds)
    strategies = [Strategy(name=name, starts=len(each), first_embedding=median(each)) for name, each in found.items()]
    machine = summary["machine"]
    return ColdStart(
        measured=machine["measured"],
        machine=f"{machine['cpus']} x {machine['cpu']}",
        strategies=sorted(strategies, key=lambda each: -each.first_embedding),
    )


def _drills(summary: dict[str, Any]) -> Drills:
    ran = summary["drills"]
    ledgers = [each["ledger"] for each in ran if each["ledger"] and not each["control"]]
    return Drills(
        good=sum(each["verdict"] in GOOD for each in ran),
        bad=[each["name"] for each in ran if each["verdict"] not in GOOD],
        requests=sum(each["sent"] for each in ledgers),
        lost=sum(each["sent"] - each["ok"] for each in ledgers),
    )
