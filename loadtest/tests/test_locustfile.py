"""`make loadtest` on a real system: its numbers are right, and its exit code tells."""

import json
import os
import signal
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtest.load.documents import remove
from loadtest.load.verdict import GOOD, INVALID, grouped
from loadtest.openloop import read
from loadtest.percentiles import percentile
from stack import EmbeddedStack, free_ports, until
from stack.http import ask
from stack.site import REPOSITORY

FILES = "loadtest/locustfile.py,loadtest/stages.py"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack]:
    """The whole system, with the fake engine."""
    settings = {"ENGINE": "fake", "LOG_LEVEL": "warning", "DRAIN_SECONDS": "0"}
    with EmbeddedStack(tmp_path_factory.mktemp("stack"), free_ports(), environment=settings) as stack:
        yield stack


def locust(stack: EmbeddedStack, folder: Path, *options: str) -> subprocess.Popen[str]:
    """A headless run against the api of a stack."""
    command = (sys.executable, "-m", "locust", "--headless", "--only-summary", "--stop-timeout", "15")
    ours = ("--host", stack.url("api"), "--rows", str(folder), "--json-file", str(folder / "locust"))
    environment = {**os.environ, "OPEN_RATE": "0"}
    return subprocess.Popen(
        (*command, *ours, *options),
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_our_percentiles_agree_with_locusts(stack: EmbeddedStack, tmp_path: Path) -> None:
    """Closed-loop, the median and the maximum of our raw rows are locust's, which keeps two digits of a latency."""
    run = locust(stack, tmp_path, "-f", FILES, "--stages", "7:6", "--max-p95", "30")
    _, said = run.communicate(timeout=60)
    assert run.returncode == 0, said
    assert read(tmp_path / "closed.jsonl").complete
    ours = grouped(read(tmp_path / "closed.jsonl").rows)
    # Not its CSV: locust writes that once a second, and the last requests may miss it.
    theirs = {each["name"]: each for each in json.loads((tmp_path / "locust.json").read_text())}
    assert set(ours) == set(theirs) >= {"embeddings: repeated", "documents: store", "search: fresh query"}
    for name, rows in ours.items():
        assert len(rows) == theirs[name]["num_requests"]
        latencies = [row.latency * 1000 for row in rows]
        counted = [float(took) for took, times in theirs[name]["response_times"].items() for _ in range(times)]
        assert percentile(latencies, 50) == pytest.approx(statistics.median_low(counted), rel=0.1, abs=1)
        assert percentile(latencies, 100) == pytest.approx(theirs[name]["max_response_time"], rel=0.1, abs=1)


def test_a_worker_that_stops_half_way_breaks_the_thresholds(stack: EmbeddedStack, tmp_path: Path) -> None:
    """Requests fail, closed- and open-loop, the report names how, and the exit code is 1."""
    run = locust(stack, tmp_path, "-f", FILES, "--stages", "60:4", "--open-rate", "10", "--max-p95", "30")
    files = (tmp_path / "closed.jsonl", tmp_path / "open.jsonl")
    until(lambda: all(len(read(each).rows) > 10 for each in files), 30, "rows")
    stack.stop("worker")
    until(lambda: all(any(row.status == 503 for row in read(each).rows) for each in files), 30, "both refused")
    run.send_signal(signal.SIGINT)
    _, said = run.communicate(timeout=60)
    stack.start("worker")
    assert run.returncode == 1, said
    assert "BROKEN" in said
    assert "x 503" in said
    assert all(read(each).rows[0].ok for each in files)


def test_a_run_without_the_open_loop_that_was_asked_for_is_not_good(stack: EmbeddedStack, tmp_path: Path) -> None:
    """Locust only logs the exception of its beginning, and the closed loop keeps every threshold."""
    (tmp_path / "open.jsonl").mkdir()
    run = locust(stack, tmp_path, "-f", FILES, "--stages", "3:2", "--open-rate", "10", "--max-p95", "30")
    _, said = run.communicate(timeout=60)
    assert run.returncode == 1, said
    assert "BROKEN: the open loop did not begin" in said


def test_a_run_that_cannot_be_judged_is_not_called_slow(stack: EmbeddedStack, tmp_path: Path) -> None:
    """What locust makes of a listener's exception is 2, the code of a generator that fell behind."""
    (tmp_path / "open.jsonl").symlink_to("/dev/full")
    run = locust(stack, tmp_path, "-f", FILES, "--stages", "2:1", "--open-rate", "10")
    _, said = run.communicate(timeout=60)
    assert "No space left on device" in said
    assert run.returncode == 1, said


def test_an_exception_in_a_task_is_not_good(stack: EmbeddedStack, tmp_path: Path) -> None:
    """It is no row, and locust's own exit code for it is hidden by ours."""
    crashing = tmp_path / "crashing.py"
    crashing.write_text(
        "from locust import User, task\n\nclass Crashing(User):\n    @task\n    def crash(self):\n        1 / 0\n"
    )
    run = locust(stack, tmp_path, "-f", f"{FILES},{crashing}", "--stages", "4:6", "--max-p95", "30")
    _, said = run.communicate(timeout=60)
    assert run.returncode == 1, said
    assert "an exception in a user's task: division by zero" in said


def test_a_host_that_is_not_understood_is_refused_at_once(stack: EmbeddedStack, tmp_path: Path) -> None:
    """In one line, without the password that it holds, and before the first request."""
    run = locust(stack, tmp_path, "-f", FILES, "--host", "http://user:secret@127.0.0.1:1", "--open-rate", "10")
    _, said = run.communicate(timeout=60)
    assert run.returncode == 1, said
    assert "loadtest: only http://host[:port] and https://host[:port]" in said
    assert "secret" not in said
    assert not (tmp_path / "closed.jsonl").exists()


@pytest.mark.parametrize(("name", "value"), [("MAX_FAILED", "nan"), ("STAGES", "0:5")])
def test_an_option_that_would_judge_nothing_is_refused(name: str, value: str, tmp_path: Path) -> None:
    """In one line that names it, with exit code 1: 2 is that of a generator that fell behind."""
    command = (sys.executable, "-m", "locust", "--headless", "-f", FILES, "--host", "http://127.0.0.1:1")
    done = subprocess.run(
        (*command, "--rows", str(tmp_path)),
        cwd=REPOSITORY,
        env={**os.environ, name: value},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert f"loadtest: {name}={value} is no " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("sig", [None, signal.SIGINT, signal.SIGTERM])
def test_no_document_stays_behind(stack: EmbeddedStack, tmp_path: Path, sig: signal.Signals | None) -> None:
    """Those that closed- and open-loop requests have stored are gone after the run, also after an interrupted one."""
    worker = f"{stack.url('api')}/readyz/worker"
    until(lambda: ask(worker).status == 200, 10, "the api's sight of the worker, which another test stops")
    page = tmp_path / "report" / "index.html"
    made = ("--stages", "5:4", "--open-rate", "20", "--max-p95", "30", "--html", str(page))
    run = locust(stack, tmp_path, "-f", FILES, *made)
    until(lambda: len(documents(stack)) > 5, 30, "documents")
    if sig:
        run.send_signal(sig)
    _, said = run.communicate(timeout=60)
    assert run.returncode in (GOOD, INVALID), said  # on a busy machine the open loop may fall behind
    assert documents(stack) == []
    assert "not removed" not in said
    if sig != signal.SIGTERM:  # then locust writes none
        assert "Thresholds: at most 0.10% of all requests fail, p95 within 30 s." in page.read_text()


def documents(stack: EmbeddedStack) -> list[str]:
    """Some that a load test has stored."""
    asked = {"query": "anything", "limit": 100, "filter": {"source": "loadtest"}}
    answer = ask(f"{stack.url('api')}/v1/search", "POST", asked, timeout=5)
    return [each["id"] for each in answer.json()["results"]]


def test_documents_that_cannot_be_removed_are_named(stack: EmbeddedStack) -> None:
    """Why is said, and they are removed another time."""
    ids = {"load-1"}
    assert "refused" in remove("http://127.0.0.1:1", ids, {})
    assert ids == {"load-1"}
    assert remove(stack.url("api"), ids, {}) == ""
    assert ids == set()


def test_without_a_system_it_says_what_to_do(tmp_path: Path) -> None:
    """No host, and nothing recorded runs: one line, not a traceback."""
    # In a process of its own: locust makes greenlets of all threads.
    code = "import sys; from pathlib import Path; from loadtest.load.session import api_of; api_of(Path(sys.argv[1]))"
    ports = {f"{name}_PORT": str(port) for name, port in zip(("API", "WORKER"), free_ports().values(), strict=False)}
    done = subprocess.run(
        (sys.executable, "-c", code, str(tmp_path)),
        cwd=REPOSITORY,
        env={**os.environ, **ports, "STACK": "embedded"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "make up first" in done.stderr
    assert "Traceback" not in done.stderr
