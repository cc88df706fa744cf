"""Runs each drill, and its control, on one stack; writes the reports."""

import json
import shutil
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TypeAlias, cast

import pytest

from drills import ctrf, report
from drills.choice import chosen
from drills.drill import Drill
from drills.interrupts import INTERRUPTS
from drills.matrix import ROWS
from drills.options import Options
from drills.result import Result
from drills.row import Row
from drills.system import System, needed

BY_NAME = {row.name: row for row in ROWS}
OPTIONS = Options.of()
RESULTS = pytest.StashKey[list[Result]]()
SKIPPED = pytest.StashKey[dict[str, str]]()  # by drill, why it can't run here
WRITTEN = ("index.html", "summary.json", "ctrf.json", "junit.xml")
Case: TypeAlias = tuple[Row, bool, int]  # a row, whether its control is meant, and the number of the run
OUTCOMES = ("passed", "failed", "error", "skipped")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Have pytest write junit.xml."""
    config.option.xmlpath = config.option.xmlpath or str(OPTIONS.reports / "junit.xml")
    config.stash[RESULTS], config.stash[SKIPPED] = [], {}
    if not config.option.collectonly:
        for name in WRITTEN:  # a run that writes none must not pass for the last one
            (OPTIONS.reports / name).unlink(missing_ok=True)


@pytest.hookimpl(trylast=True)  # after those who set a handler for Ctrl-C
def pytest_sessionstart() -> None:
    """End on SIGTERM and SIGHUP as on Ctrl-C: everything is rolled back first."""
    INTERRUPTS.listen()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each drill as often as wanted, each time followed by its control."""
    row = BY_NAME[metafunc.function.__name__.removeprefix("test_")]
    kinds = [False, True] if row.control else [False]
    cases = [(row, controlled, run) for run in range(1, OPTIONS.runs + 1) for controlled in kinds]
    names = [f"{'control' if controlled else 'drill'}-{run}" for _, controlled, run in cases]
    metafunc.parametrize("drill", cases, ids=names, indirect=True)


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A stack of its own, on free ports; it and its data are gone afterwards."""
    kind, stack = chosen(tmp_path_factory.mktemp("stack"))
    try:
        stack.up()
        yield System(stack, kind)
    finally:
        with INTERRUPTS.shielded():
            stack.discard()


@pytest.fixture
def drill(request: pytest.FixtureRequest, system: System) -> Drill:
    """What the scenario works with; it is entered around the scenario."""
    row, controlled, run = request.param
    why = row.not_on.get(system.kind) or (row.needs() if row.needs and system.kind == "embedded" else None)
    if why:
        request.config.stash[SKIPPED][row.name] = why
        pytest.skip(f"not on {system.kind}: {why}")
    folder = OPTIONS.reports / "rows" / f"{row.name}-{'control' if controlled else 'drill'}-{run}"
    shutil.rmtree(folder, ignore_errors=True)  # that of an earlier run
    return Drill(row, system, OPTIONS, folder, run, controlled=controlled)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have drills with the same settings follow each other: each change restarts services."""
    items.sort(key=lambda item: needed(*cast("Case", cast("pytest.Function", item).callspec.params["drill"])[:2]))


@contextmanager
def interruptible(item: pytest.Item) -> Iterator[None]:
    """Have an interruption fail the test, and end the run after it: pytest reports no test that it cuts short."""
    try:
        yield
    except KeyboardInterrupt:
        item.session.shouldstop = "by Ctrl-C or a signal"
        raise pytest.fail.Exception("interrupted", pytrace=False) from None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """The stack starts here."""
    with interruptible(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """The drill runs here."""
    with interruptible(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """A drill fails if a fact of its was violated; a control, if the fact that it must violate was not."""
    drill = cast("Drill", pyfuncitem.funcargs["drill"])
    pyfuncitem.config.stash[RESULTS].append(drill.result)
    drill.result.verdict = "error"
    try:
        with drill:
            yield
    finally:
        pyfuncitem.user_properties += report.properties(drill.result)
    if not drill.result.good:
        pytest.fail(report.failure(drill.result), pytrace=False)
    return True


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A run in which all drills were skipped has shown nothing: it fails, as one that finds no test."""
    if exitstatus == pytest.ExitCode.OK and session.config.stash[SKIPPED] and not session.config.stash[RESULTS]:
        session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """The verdict on the line of progress."""
    said = dict(report.user_properties).get("summary")
    if report.when != "call" or not said:
        return None
    return report.outcome, report.outcome[0], f"{report.outcome.upper()} {said}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The verdict table, and where the reports are."""
    phases = [each for outcome in OUTCOMES for each in terminalreporter.stats.get(outcome, ())]
    OPTIONS.reports.mkdir(parents=True, exist_ok=True)
    (OPTIONS.reports / "ctrf.json").write_text(json.dumps(ctrf.document(phases), indent=1, allow_nan=False) + "\n")
    results = config.stash[RESULTS]
    results.sort(key=lambda each: (list(BY_NAME).index(each.name), each.run, each.control))
    skipped = config.stash[SKIPPED]
    if results or skipped:
        terminalreporter.section("drills")
        for line in (*report.table(results), *report.left_out(skipped)):
            terminalreporter.write_line(line)
    if results:
        report.write(results, OPTIONS, skipped)
        terminalreporter.write_line(f"{OPTIONS.reports}/index.html, summary.json, ctrf.json; raw rows in rows/")
