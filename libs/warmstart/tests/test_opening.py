"""Attempts to open: their limits, what is tried again, and what is said of those that fail."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from stack.waiting import until
from tests.harness.lifespan import lifespan_of
from warmstart import Fatal, Resource, ServiceSettings, install
from warmstart.lifecycle import told
from warmstart.lifecycle.fatal import needs_traceback
from warmstart.lifecycle.lifespan import StartFailed
from warmstart.lifecycle.told import Told


def application(*resources: Resource[Any], **settings: Any) -> FastAPI:
    """An app with these resources."""
    chosen = ServiceSettings(**{"startup_timeout": 20, "health_interval": 0.02, "health_timeout": 1, **settings})

    app = FastAPI(lifespan=lifespan_of(chosen, resources))
    install(app, chosen)
    return app


def failing(error: BaseException, **options: Any) -> Resource[None]:
    """A resource whose every attempt to open raises this error."""

    @asynccontextmanager
    async def open_(app: FastAPI) -> AsyncIterator[None]:
        raise error
        yield

    return Resource("main", open_, **options)


class Load:
    """A load in a thread, as of a model: it can't be interrupted. The third call is short."""

    def __init__(self) -> None:
        self.calls = self.running = self.most = 0
        self._lock = threading.Lock()

    def __call__(self) -> str:
        """Block for a time; takes note of the loads beside it."""
        with self._lock:
            self.calls += 1
            self.running += 1
            self.most = max(self.most, self.running)
        threading.Event().wait(0.3 if self.calls < 3 else 0)
        with self._lock:
            self.running -= 1
        return "loaded"


@pytest.mark.parametrize("executor", ["to_thread", "run_in_executor"])
def test_a_load_that_was_cut_is_never_started_beside_itself(caplog: pytest.LogCaptureFixture, executor: str) -> None:
    """The next attempt waits until the thread of the last one has ended; the log names the limit that cut it."""
    load = Load()

    @asynccontextmanager
    async def open_(app: FastAPI) -> AsyncIterator[str]:
        if executor == "to_thread":
            yield await asyncio.to_thread(load)
        else:
            yield await asyncio.get_running_loop().run_in_executor(None, load)

    with TestClient(application(Resource("model", open_, timeout=0.1))) as client:
        assert client.get("/readyz").status_code == 200
    assert load.calls >= 3  # a short one may be cut as well, on a machine that stands still
    assert load.most == 1
    assert "opening model failed, attempt 1: cut after 0.1 s, its timeout= in Resource('model')" in caplog.text


def test_a_hanging_attempt_is_cut_and_tried_again() -> None:
    """An attempt that waits for an answer for ever is cut off, and another one follows."""
    attempts: list[int] = []

    @asynccontextmanager
    async def open_(app: FastAPI) -> AsyncIterator[str]:
        attempts.append(1)
        await asyncio.sleep(3600 if len(attempts) < 3 else 0)
        yield "open"

    with TestClient(application(Resource("main", open_, timeout=0.05))) as client:
        assert client.get("/readyz").status_code == 200
    assert len(attempts) >= 3


def test_by_default_the_start_alone_is_limited() -> None:
    """An attempt may take all of STARTUP_TIMEOUT, and an error that comes of it names that setting."""

    @asynccontextmanager
    async def open_(app: FastAPI) -> AsyncIterator[None]:
        await asyncio.sleep(3600)
        yield

    resource = Resource("model", open_)
    assert resource.timeout is None
    with pytest.raises(StartFailed) as raised, TestClient(application(resource, startup_timeout=0.2)):
        pass
    assert str(raised.value) == "STARTUP_TIMEOUT: not ready within 0.2 s; model opening (attempt 1)"


class Panic(BaseException):
    """As panics of Rust extensions are: no Exception."""


MISTAKES = [
    (KeyError("weights"), "KeyError: 'weights'"),
    (AttributeError("no attribute 'load'"), "AttributeError: no attribute 'load'"),
    (TypeError(), "TypeError"),
    (ModuleNotFoundError("No module named 'joblib'"), "ModuleNotFoundError: No module named 'joblib'"),
    (ExceptionGroup("both", [IndexError("list index out of range")]), "IndexError: list index out of range"),
    (Panic("at 3 texts"), "Panic: at 3 texts"),
]


@pytest.mark.parametrize(("error", "why"), MISTAKES, ids=lambda each: type(each).__name__)
def test_a_programming_error_fails_the_start_at_once(
    caplog: pytest.LogCaptureFixture, error: BaseException, why: str
) -> None:
    """It is not tried again; its type is logged, and its traceback is with the error that is raised."""
    with (
        pytest.raises(StartFailed, match=r"start failed; main failed: (.*) \(attempt 1\)") as raised,
        TestClient(application(failing(error))),
    ):
        pass
    assert f"main failed: {why} (attempt 1)" in str(raised.value)
    assert raised.value.__cause__ is error
    assert traced(caplog) == []


def traced(caplog: pytest.LogCaptureFixture) -> list[int]:
    """The levels of the records that have a traceback."""
    return [record.levelno for record in caplog.records if record.exc_info and record.exc_info[1]]


def test_an_optional_resource_with_a_programming_error_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    """The service is ready without it, says that it failed, and doesn't try again."""
    app = application(failing(KeyError("weights"), required=False))
    with TestClient(app) as client:
        main = app.state.lifecycle.supervisors["main"]
        until(main._task.done, 10, "the end of its task")
        assert client.get("/readyz").status_code == 200
        assert "[-]main failed: failed: KeyError: 'weights' (not gating)" in client.get("/readyz?verbose").text
        assert main.attempts == 1
    assert traced(caplog) == [logging.ERROR]


@pytest.mark.parametrize(
    ("error", "levels"),
    [
        (ValueError("numpy.dtype size changed"), [logging.WARNING]),
        (ExceptionGroup("both", [ValueError("one"), ValueError("two")]), [logging.WARNING]),
        (ConnectionRefusedError(111, "Connection refused"), []),
        (PermissionError(13, "Permission denied", "model.joblib"), [logging.WARNING]),
    ],
    ids=repr,
)
def test_what_may_heal_is_traced_once_and_tried_again(
    caplog: pytest.LogCaptureFixture, error: Exception, levels: list[int]
) -> None:
    """An error without an answer from its peer needs no traceback: its text is enough."""
    app = application(failing(error, required=False))
    with TestClient(app):
        main = app.state.lifecycle.supervisors["main"]
        until(lambda: main.attempts >= 3, 20, "three attempts", lambda: main.attempts)
    assert traced(caplog) == levels


@pytest.mark.parametrize(
    ("cause", "needed"), [(None, False), (FileNotFoundError(2, "No such file", "weights"), False), (KeyError(), True)]
)
def test_a_fatal_error_is_traced_for_its_cause(cause: Exception | None, needed: bool) -> None:
    """The sentence says what to do; where another error came from, only a traceback can say."""
    error = Fatal("artifact: onnx can't run it")
    error.__cause__ = cause
    assert needs_traceback(error) is needed


def test_a_check_with_a_programming_error_is_traced_once(caplog: pytest.LogCaptureFixture) -> None:
    """Health names its type, and the log where it is, however often it is sampled."""
    samples: list[int] = []

    @asynccontextmanager
    async def open_(app: FastAPI) -> AsyncIterator[dict[str, int]]:
        yield {}

    async def check(value: dict[str, int]) -> None:
        samples.append(1)
        _ = value["ping"]

    app = application(Resource("main", open_, check))
    with TestClient(app) as client:
        until(lambda: len(samples) > 5, 20, "samples")
        assert "[-]main failed: degraded: KeyError: 'ping'" in client.get("/readyz?verbose").text
    assert traced(caplog) == [logging.WARNING]


def test_a_reason_gets_its_lines_and_then_one_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reasons that take turns, or differ in a number, are no news."""
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    ipv6, ipv4 = "Connect call failed ('::1', 6379)", "Connect call failed ('127.0.0.1', 6379)"
    day = Told()
    lines = 0
    for second in range(86_400):
        now[0] += 1
        lines += day.is_news(ipv6 if second % 2 else ipv4)
        lines += day.is_news(f"connection {second} was lost at 0x7f{second:06x}")
    assert lines <= 3 * (86_400 / told.REMINDER + 1)
    assert day.is_news("no route to host")


@pytest.mark.parametrize(("required", "lines"), [(True, 5), (False, 1)])
def test_a_missing_resource_gets_few_lines(caplog: pytest.LogCaptureFixture, required: bool, lines: int) -> None:
    """A required resource gets five log lines, which show that the start waits; an optional one gets one line."""
    caplog.set_level(logging.INFO)
    attempts: list[int] = []

    def fail(_: FastAPI) -> Any:
        attempts.append(1)
        raise ConnectionError(f"refused from port {40_000 + len(attempts)}")

    fast: Callable[[int], float] = lambda attempt: 0.001  # noqa: E731
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warmstart.lifecycle.backoff.pause", fast)
        app = application(Resource("main", fail, required=required), startup_timeout=2)
        if required:
            with pytest.raises(StartFailed), TestClient(app):
                pass
        else:
            with TestClient(app):
                until(lambda: len(attempts) > 50, 20, "attempts", lambda: len(attempts))
    assert len(attempts) > 50
    assert len([each for each in caplog.messages if each.startswith("opening main failed")]) == lines
