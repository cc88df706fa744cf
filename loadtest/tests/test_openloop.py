"""The generator keeps its schedule, tells what happened, and admits when it couldn't."""

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest

from loadtest.openloop import Background, Constant, Generator, Plan, Poisson, Request, Row, RowFile, Run, Stream, read
from loadtest.request import Maker
from stack import StackError, free_ports, until
from stack.site import REPOSITORY
from stack.tests.server import reply, serving


def plan(url: str, **changes: object) -> Plan:
    """50 a second, 25 requests."""
    return replace(Plan(Constant(50), (Stream("readyz", url),), requests=25, timeout=5), **changes)  # type: ignore[arg-type]


def run(chosen: Plan, path: Path) -> Run:
    """In this process, with real threads."""
    with RowFile(path, chosen) as file:
        Generator(chosen, file).run()
    return read(path)


def ok(handler: BaseHTTPRequestHandler) -> None:
    """Answer at once."""
    reply(handler, 200, b"ok", Server_Timing="queue;dur=1.5, inference;dur=2")


def keeping(_draw: random.Random, _number: int) -> Request:
    """A maker."""
    return Request("/", method="GET", headers={}, keep=lambda answer: [answer.body.decode()])


def test_a_row_keeps_what_its_request_wants_of_a_good_answer(tmp_path: Path) -> None:
    """Of one with another status it keeps nothing."""
    statuses = iter([200, 503])
    with serving(lambda handler: reply(handler, next(statuses), b"body")) as url:
        stream = Stream(f"{__name__}:keeping", url)
        good, bad = run(plan(url, streams=(stream,), requests=2), tmp_path / "rows").rows
    assert (good.kept, bad.kept) == (["body"], None)


def raising(how: str) -> Maker:
    """A maker whose requests read an answer in a way that fails."""
    empty: list[str] = []
    ways = {
        "check": {"check": lambda _: empty[0]},
        "keep": {"keep": lambda _: empty[0]},
        "kept": {"keep": lambda _: object()},
    }
    return lambda *_: Request("/", method="GET", headers={}, **ways[how])  # type: ignore[arg-type]


@pytest.mark.parametrize(("how", "error"), [("check", "IndexError"), ("keep", "IndexError"), ("kept", "TypeError")])
def test_an_answer_that_cannot_be_read_is_wrong(how: str, error: str, tmp_path: Path) -> None:
    """Its request has a row all the same."""
    with serving(ok) as url:
        stream = Stream(f"{__name__}:raising:{how}", url)
        rows = run(plan(url, streams=(stream,), requests=2), tmp_path / "rows.jsonl").rows
    assert len(rows) == 2
    assert all((row.error or "").startswith(f"wrong: {error}") for row in rows), rows


def test_no_key_stands_in_the_rows(tmp_path: Path) -> None:
    """The plan's headers are sent, and the file has their names."""
    seen: list[str | None] = []

    def note(handler: BaseHTTPRequestHandler) -> None:
        seen.append(handler.headers["Authorization"])
        ok(handler)

    with serving(note) as url:
        found = run(plan(url, requests=1, headers={"Authorization": "Bearer sk-1"}), tmp_path / "rows.jsonl")
    assert seen == ["Bearer sk-1"]
    assert "sk-1" not in (tmp_path / "rows.jsonl").read_text()
    assert list(found.plan.headers) == ["Authorization"]


def test_poisson_arrivals_have_the_rate_and_the_variance_of_their_name() -> None:
    """Gaps average 1/rate, and their standard deviation is as large; the same seed gives the same arrivals."""
    times = list(islice(Poisson(20, seed=3).offsets(), 5000))
    gaps = [after - before for before, after in pairwise(times)]
    mean = sum(gaps) / len(gaps)
    deviation = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert mean == pytest.approx(1 / 20, rel=0.05)
    assert deviation == pytest.approx(mean, rel=0.1)
    assert times == list(islice(Poisson(20, seed=3).offsets(), 5000))


def test_requests_leave_although_nothing_is_answered(tmp_path: Path) -> None:
    """Each one leaves while none has got its answer, and its latency counts from when it was due."""
    arrived: list[float] = []
    all_there = threading.Event()

    def stuck(handler: BaseHTTPRequestHandler) -> None:
        arrived.append(time.monotonic())
        if len(arrived) == 25:
            all_there.set()
        all_there.wait(20)
        ok(handler)

    with serving(stuck) as url:
        found = run(plan(url, timeout=20), tmp_path / "rows.jsonl")
    assert [row.scheduled - found.begin for row in found.rows] == pytest.approx([n / 50 for n in range(25)], abs=1e-6)
    assert all(row.ok and (row.done or 0) > max(arrived) for row in found.rows)
    assert all(row.latency == (row.done or 0) - row.scheduled for row in found.rows)


def test_a_row_tells_what_came_back(tmp_path: Path) -> None:
    """Status, times in order, the stages of Server-Timing and the process that answered."""
    with serving(ok) as url:
        found = run(plan(url), tmp_path / "rows.jsonl")
    assert len(found.rows) == 25
    assert found.complete
    for row in found.rows:
        assert row.ok
        assert row.scheduled <= row.sent <= (row.first_byte or 0) <= (row.done or 0)
        assert row.timing == {"queue": 1.5, "inference": 2}
        assert row.process == os.getpid()


@pytest.mark.parametrize(("connections", "kinds"), [("pooled", {"new", "reused"}), ("fresh", {"new"})])
def test_connections_are_pooled_or_fresh(connections: str, kinds: set[str], tmp_path: Path) -> None:
    """A pooled stream uses connections again; a fresh one never does."""
    with serving(ok) as url:
        stream = Stream("readyz", url, connections=connections)  # type: ignore[arg-type]
        found = run(plan(url, streams=(stream,)), tmp_path / "rows.jsonl")
    assert {row.connection for row in found.rows} == kinds


def test_what_came_instead_of_an_answer_is_named(tmp_path: Path) -> None:
    """A refusal, a close without an answer, a time-out and a typed error are told apart."""
    over = threading.Event()

    def close(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True

    def hang(_: BaseHTTPRequestHandler) -> None:
        over.wait(20)

    def refuse(handler: BaseHTTPRequestHandler) -> None:
        reply(handler, 503, b'{"error": {"code": "overloaded"}}', Retry_After="2", Connection="close")

    def one(url: str, timeout: float = 20) -> Row:
        [row] = run(plan(url, requests=1, timeout=timeout), tmp_path / "rows.jsonl").rows
        return row

    with serving(close) as url:
        closed = one(url)
    with serving(hang) as url:
        late = one(url, timeout=0.5)
        over.set()
    with serving(refuse) as url:
        refused = one(url)
    assert (closed.status, closed.error) == (None, "closed")
    assert (late.status, late.error) == (None, "timeout")
    assert (refused.status, refused.code, refused.retry_after, refused.closes) == (503, "overloaded", 2, True)
    assert one(f"http://127.0.0.1:{free_ports()['api']}").error == "refused"


def test_a_killed_run_keeps_its_rows(tmp_path: Path) -> None:
    """SIGKILL costs the rows of requests in flight, no others; the file says that it wasn't finished."""
    with serving(ok) as url, Background(plan(url, requests=None), tmp_path / "rows.jsonl") as load:
        until(lambda: len(load.rows()) >= 10, 20, "ten rows")
        known = load.rows()
        load.kill()
        found = load.run
    assert {row.number for row in known} <= {row.number for row in found.rows}
    assert not found.complete


def test_a_starved_generator_marks_its_run_invalid(tmp_path: Path) -> None:
    """Frozen for half a second it sends all that was due, late, says so, and the verdict is invalid."""
    with serving(ok) as url, Background(plan(url, requests=None), tmp_path / "rows.jsonl") as load:
        until(load.rows, 20, "a row")
        generator = psutil.Process(load.pid)
        generator.suspend()
        time.sleep(0.5)
        resumed = time.monotonic()
        generator.resume()
        until(lambda: load.rows()[-1].scheduled > resumed, 20, "a request that was due later")
    found = load.run
    assert [row.number for row in found.rows] == list(range(len(found.rows)))
    assert not found.verdict.valid
    assert "fell behind" in found.verdict.reason
    assert found.verdict.lag_max > 0.3
    assert "invalid" in load.said


def test_every_address_of_a_name_is_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Most machines know localhost as ::1 first, and most services listen on 127.0.0.1 only."""
    found = socket.getaddrinfo

    def with_another_first(host: str, port: int, **more: Any) -> list[Any]:
        return [*found("127.0.0.2", port, **more), *found(host, port, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", with_another_first)
    with serving(ok) as url:
        rows = run(plan(url, requests=3), tmp_path / "rows.jsonl").rows
        assert all(row.ok for row in rows), rows
    assert run(plan(url, requests=1), tmp_path / "rows.jsonl").rows[0].error == "refused"


def test_an_answer_that_drips_is_given_up_at_the_timeout(tmp_path: Path) -> None:
    """Each byte comes soon after the one before, but the whole doesn't come in time."""
    over = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        with suppress(OSError):
            for _ in range(1000):
                handler.wfile.write(b"x")
                over.wait(0.02)

    with serving(drip) as url:
        [row] = run(plan(url, requests=1, timeout=0.5), tmp_path / "rows.jsonl").rows
        over.set()
    assert row.error == "timeout"
    assert row.first_byte is not None


def test_a_plan_in_a_file_is_run_by_the_command_line(tmp_path: Path) -> None:
    """A file has its end after the plan, which is no calling process that has ended."""
    path = tmp_path / "plan.json"
    with serving(ok) as url:
        path.write_text(f"{plan(url, requests=5).to_json()}\n")
        with path.open() as file:
            command = (sys.executable, "-m", "loadtest.openloop", str(tmp_path / "rows.jsonl"))
            subprocess.run(command, stdin=file, cwd=REPOSITORY, timeout=60, check=False)
    assert len(read(tmp_path / "rows.jsonl").rows) == 5


def test_a_run_ends_with_the_process_that_called_it(tmp_path: Path) -> None:
    """Nobody is left to stop it."""
    command = (sys.executable, "-m", "loadtest.openloop", str(tmp_path / "rows.jsonl"), "--attached")
    with serving(ok) as url, subprocess.Popen(command, stdin=subprocess.PIPE, cwd=REPOSITORY) as process:
        process.communicate(f"{plan(url, requests=None).to_json()}\n".encode(), timeout=60)


def test_a_stop_waits_for_what_is_in_flight(tmp_path: Path) -> None:
    """SIGTERM lets no more requests leave; those that had left get their rows."""

    def slow(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(0.5)
        ok(handler)

    with serving(slow) as url, Background(plan(url, requests=None), tmp_path / "rows.jsonl") as load:
        until(load.rows, 20, "a row")
        os.kill(load.pid, signal.SIGTERM)
        load.wait(10)
    found = load.run
    assert found.complete
    assert all(row.ok for row in found.rows)
    assert [row.number for row in found.rows] == list(range(len(found.rows)))


def test_a_plan_that_cannot_run_says_why(tmp_path: Path) -> None:
    """An unknown maker ends the process before the first request, with its name in the error."""
    broken = Plan(Constant(1), (Stream("nothing", "http://127.0.0.1:1"),), requests=1)
    with (
        pytest.raises(StackError, match="nothing is no maker of requests"),
        Background(broken, tmp_path / "rows.jsonl"),
    ):
        pass
