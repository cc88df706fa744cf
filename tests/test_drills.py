"""A short selection of the drills, each with its control, as `make drills` runs them."""

import json
import os
import shutil
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from drills import controls
from drills.matrix import ROWS
from stack import until
from tests.harness.gunicorn import REPOSITORY
from warmstart.errors import Overloaded
from worker.admission import Admission, Ahead, Demand
from worker.speed import Speed

SELECTIONS = {"embedded": "worker_process_killed or redis_stopped", "compose": "slow_warmup"}
KINDS = ["embedded", pytest.param("compose", marks=pytest.mark.engine)]


@pytest.mark.parametrize("kind", KINDS)
def test_drills_hold_and_their_controls_fail(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every claim of the selection holds, every control fails for its reason, and the report says so."""
    command = (sys.executable, "-m", "pytest", "drills/scenarios", "-v", "-p", "no:cacheprovider")
    environment = {**os.environ, "STACK": kind, "REQUESTS": "200", "RUNS": "1", "REPORTS": str(tmp_path)}
    done = subprocess.run(
        [*command, "-k", SELECTIONS[kind]],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    with capsys.disabled():
        print(f"\n{done.stdout.partition('= drills =')[2].partition('reports')[0]}")
    assert done.returncode == 0, done.stdout[-6000:]
    summary = json.loads((tmp_path / "summary.json").read_text())
    verdicts = {(each["name"], bool(each["control"])): each["verdict"] for each in summary["drills"]}
    names = SELECTIONS[kind].split(" or ")
    expected = {(name, False): "held" for name in names} | {(name, True): "failed as it must" for name in names}
    assert verdicts == expected
    assert (tmp_path / "index.html").read_text().count("<svg") == len(expected)
    [suite] = ET.parse(tmp_path / "junit.xml").getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == (str(len(expected)), "0", "0")
    found = {each.get("value") for each in suite.iter("property") if each.get("name") == "verdict"}
    assert found == set(expected.values())
    tests = json.loads((tmp_path / "ctrf.json").read_text())["results"]["tests"]
    ran = {f"test_{name}[{'control' if control else 'drill'}-1]": said for (name, control), said in expected.items()}
    assert {each["name"]: each["rawStatus"] for each in tests} == ran


def test_an_interrupted_drill_is_a_failed_test(tmp_path: Path) -> None:
    """After SIGTERM in its midst, ctrf.json and junit.xml name the drill and count it as failed."""
    chosen = "redis_stopped and drill-1"
    command = (sys.executable, "-m", "pytest", "drills/scenarios", "-p", "no:cacheprovider", "-k", chosen)
    environment = {**os.environ, "STACK": "embedded", "REQUESTS": "1000", "RUNS": "1", "REPORTS": str(tmp_path)}
    name, ledger = "test_redis_stopped[drill-1]", tmp_path / "rows" / "redis_stopped-drill-1" / "0.jsonl"
    with subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, text=True) as run:
        until(ledger.exists, 90, "the drill's load to begin")
        run.send_signal(signal.SIGTERM)
        said, _ = run.communicate(timeout=120)
    assert run.returncode == pytest.ExitCode.INTERRUPTED, said[-6000:]
    results = json.loads((tmp_path / "ctrf.json").read_text())["results"]
    [test], summary = results["tests"], results["summary"]
    assert (test["name"], test["status"], test["rawStatus"]) == (name, "failed", "error")
    assert test["message"] == "interrupted"
    assert (summary["tests"], summary["failed"]) == (1, 1)
    assert 0 < summary["start"] < summary["stop"]
    [suite] = ET.parse(tmp_path / "junit.xml").getroot()
    [case] = suite.iter("testcase")
    assert (suite.get("tests"), suite.get("failures"), case.get("name")) == ("1", "1", name)
    assert "error" in {each.get("value") for each in case.iter("property") if each.get("name") == "verdict"}
    [drill] = json.loads((tmp_path / "summary.json").read_text())["drills"]
    assert drill["verdict"] == "error"


def test_a_run_of_skipped_drills_only_has_shown_nothing(tmp_path: Path) -> None:
    """It fails, says what it skipped and why, and leaves no report of an earlier run behind."""
    reports, programs = tmp_path / "reports", tmp_path / "bin"  # of which openssl is none
    for folder in (reports, programs):
        folder.mkdir()
    for name in ("index.html", "summary.json"):
        (reports / name).write_text("of an earlier run")
    if found := shutil.which("setpriv"):  # Postgres needs it where the tests run as root
        (programs / "setpriv").symlink_to(found)
    command = (sys.executable, "-m", "pytest", "drills/scenarios", "-p", "no:cacheprovider", "-k", "certificate")
    environment = {**os.environ, "STACK": "embedded", "REPORTS": str(reports), "PATH": str(programs)}
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == pytest.ExitCode.NO_TESTS_COLLECTED, done.stdout[-6000:]
    assert "certificate_expired       not run             certificates are made by openssl" in done.stdout
    assert sorted(file.name for file in reports.iterdir()) == ["ctrf.json", "junit.xml"]
    tests = json.loads((reports / "ctrf.json").read_text())["results"]["tests"]
    assert [each["status"] for each in tests] == ["skipped", "skipped"]


def test_overloads_control_takes_both_bounds_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker refuses by tokens and by time: without one of the bounds it refuses still, and the control passes."""
    [control] = [row.control for row in ROWS if row.name == "overload"]
    assert control
    monkeypatch.setattr(Admission, "check", Admission.check)  # put back afterwards
    admission, demand = Admission(Speed(100, 1), limit=10**12, batch=10, longest=10.0), Demand(texts=1, tokens=10)
    with pytest.raises(Overloaded, match="it may take"):
        admission.check(demand, 0.001, Ahead(waiting=10**9, running=0))
    getattr(controls, control.patches["worker"])()
    admission.check(demand, 0.001, Ahead(waiting=10**9, running=0))
