"""The results in the Common Test Report Format (https://ctrf.io), which dashboards and CI systems read."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

SPECIFICATION = "0.1.0"
STATUSES = ("passed", "failed", "skipped", "pending", "other")


def document(reports: Iterable[pytest.TestReport]) -> dict[str, Any]:
    """One test a drill or control, in the order in which they ran.

    Args:
        reports: of the phases that pytest counts: the call of each test, or the set-up that kept it from running,
            and a teardown that failed.
    """
    phases = sorted(reports, key=lambda each: each.start)
    found = {each.nodeid: _test([phase for phase in phases if phase.nodeid == each.nodeid]) for each in phases}
    tests = list(found.values())
    counts = Counter(str(test["status"]) for test in tests)
    summary = {
        "tests": len(tests),
        **{status: counts[status] for status in STATUSES},
        "start": min((test["start"] for test in tests), default=0),
        "stop": max((test["stop"] for test in tests), default=0),
    }
    return {
        "reportFormat": "CTRF",
        "specVersion": SPECIFICATION,
        "reportId": str(uuid4()),
        "timestamp": datetime.now(UTC).isoformat(),
        "results": {
            "tool": {"name": "pytest", "version": pytest.__version__},
            "summary": summary,
            "tests": tests,
            "environment": {"appName": "warmstart"},
        },
    }


def _test(phases: list[pytest.TestReport]) -> dict[str, Any]:
    """One test, from its phases."""
    worst = next((each for each in phases if each.failed), phases[0])
    file, _, name = worst.nodeid.partition("::")
    test: dict[str, Any] = {
        "name": name,
        "status": worst.outcome,
        "duration": _milliseconds(sum(each.duration for each in phases)),
        "start": _milliseconds(phases[0].start),
        "stop": _milliseconds(phases[-1].stop),
        "suite": [file],
        "filePath": file,
        "type": "drill",
    }
    if message := _message(worst):
        test["message"] = message
    if properties := dict(phases[0].user_properties):
        test |= {"rawStatus": str(properties["verdict"]), "extra": properties}
    return test


def _message(report: pytest.TestReport) -> str:
    """Why it failed or did not run."""
    if isinstance(report.longrepr, tuple):  # of a test that was skipped: file, line, reason
        return report.longrepr[2].removeprefix("Skipped: ")
    return report.longreprtext


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
