"""The report in the Common Test Report Format, of made-up phases of tests."""

from typing import Any
from uuid import UUID

import pytest

from drills.ctrf import document

# Of schema/ctrf.schema.json of github.com/ctrf-io/ctrf at 08703df: the fields of each object, which allows no others.
REQUIRED = {
    "": {"reportFormat", "specVersion", "results"},
    "results": {"tool", "summary", "tests"},
    "tool": {"name"},
    "summary": {"tests", "passed", "failed", "skipped", "pending", "other", "start", "stop"},
    "test": {"name", "status", "duration"},
    "environment": set(),
}
OPTIONAL = {
    "": {"reportId", "timestamp", "generatedBy", "extra", "insights", "baseline"},
    "results": {"environment", "extra"},
    "tool": {"version", "extra"},
    "summary": {"flaky", "suites", "duration", "extra"},
    "test": {"start", "stop", "suite", "message", "rawStatus", "tags", "type", "filePath", "trace", "extra"},
    "environment": {"reportName", "appName", "appVersion", "testEnvironment", "extra"},
}


def phase(
    name: str, when: Any = "call", outcome: Any = "passed", start: float = 10.0, **more: Any
) -> pytest.TestReport:
    """What pytest reports of one phase of a test, which took a quarter of a second."""
    where = ("drills/scenarios/test_stores.py", 1, name)
    longrepr = more.pop("longrepr", None)
    node = f"drills/scenarios/test_stores.py::{name}"
    return pytest.TestReport(
        node, where, {}, outcome, longrepr, when, duration=0.25, start=start, stop=start + 0.25, **more
    )


def fits(name: str, found: dict[str, Any]) -> bool:
    """Whether an object has all fields that it must have, and none that it may not have."""
    return REQUIRED[name] <= set(found) <= REQUIRED[name] | OPTIONAL[name]


@pytest.fixture
def report() -> dict[str, Any]:
    """One drill held, one was aborted and then failed to clear up, one could not be run, one was skipped."""
    aborted = [("verdict", "aborted"), ("requests", 100)]
    return document(
        [
            phase("aborted", outcome="failed", start=12.0, longrepr="20 failed", user_properties=aborted),
            phase("held", user_properties=[("verdict", "held")]),
            phase("aborted", when="teardown", outcome="failed", start=13.0, longrepr="no engine"),
            phase("broken", when="setup", outcome="failed", start=14.0, longrepr="no stack"),
            phase("skipped", when="setup", outcome="skipped", start=15.0, longrepr=("file", 1, "Skipped: not here")),
        ]
    )


def test_it_has_the_fields_of_the_published_schema(report: dict[str, Any]) -> None:
    """All that are required, no unknown ones, and whole milliseconds."""
    results = report["results"]
    assert (report["reportFormat"], report["specVersion"]) == ("CTRF", "0.1.0")
    assert UUID(report["reportId"]).version == 4
    assert fits("", report)
    assert fits("results", results)
    assert fits("environment", results["environment"])
    assert fits("tool", results["tool"])
    assert fits("summary", results["summary"])
    assert all(fits("test", test) for test in results["tests"])
    assert all(isinstance(test[name], int) for test in results["tests"] for name in ("duration", "start", "stop"))


def test_each_drill_is_one_test(report: dict[str, Any]) -> None:
    """In the order in which they ran, with the verdict, and with the reason of what did not pass."""
    found = [(test["name"], test["status"], test.get("message")) for test in report["results"]["tests"]]
    assert found == [
        ("held", "passed", None),
        ("aborted", "failed", "20 failed"),
        ("broken", "failed", "no stack"),
        ("skipped", "skipped", "not here"),
    ]
    _, aborted, *_ = report["results"]["tests"]
    assert (aborted["rawStatus"], aborted["extra"]["requests"], aborted["duration"]) == ("aborted", 100, 500)


def test_the_summary_counts_them(report: dict[str, Any]) -> None:
    """By status; and the run lasts from the first start to the last end."""
    summary = report["results"]["summary"]
    counts = [summary[status] for status in ("tests", "passed", "failed", "skipped", "pending", "other")]
    assert counts == [4, 1, 2, 1, 0, 0]
    assert (summary["start"], summary["stop"]) == (10000, 15250)


def test_nothing_was_run() -> None:
    """The report of it is valid too."""
    assert document([])["results"]["summary"]["tests"] == 0
