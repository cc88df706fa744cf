"""The load generator, against small servers that misbehave."""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

import numpy as np
import pytest

from loadtest.bench import in_turns as turns
from loadtest.bench.case import C1, C32, Case
from loadtest.bench.closed_loop import Load, closed_loop, send
from loadtest.bench.dialects import WORKER
from loadtest.bench.reference import Reference
from loadtest.bench.texts import batches, block
from loadtest.connection import Client, Connection
from stack.http import Answer
from stack.tests.server import reply, serving
from stack.waiting import until

UNIT = [1.0, 0.0, 0.0]


@contextmanager
def stand_in(vectors: list[list[float]], status: int = 200, delay: float = 0.0) -> Iterator[int]:
    """The port of a server that answers these vectors after `delay` seconds, or a bare status."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(delay)
        reply(handler, status, json.dumps({"embeddings": vectors}).encode())

    with serving(answer) as url:
        yield int(url.rpartition(":")[2])


def measured(port: int, size: int, clients: int = 1) -> Load:
    """Load in texts of `size` a request, from a window that was not slept away: machines stand still."""

    def attempt() -> Load | None:
        load = closed_loop(port, WORKER, batches(block(0), size), clients, seconds=0.2, warm=0.05)
        slept = any("stood still" in error for error in load.errors)
        return load if not slept and (load.latencies or load.errors) else None

    return until(attempt, 20, "an answer in the window")


def test_load_is_counted() -> None:
    """Texts are counted, latencies kept, the generator's own CPU measured, and nothing is wrong."""
    with stand_in([UNIT, UNIT]) as port:
        load = measured(port, 2, clients=2)
    assert load.texts >= 2 * len(load.latencies) > 0
    assert 0 < load.p50_ms < 300
    assert load.cpu > 0
    assert not load.errors


def test_an_answer_without_all_vectors_is_an_error() -> None:
    """One vector for two texts is noticed."""
    with stand_in([UNIT]) as port:
        load = measured(port, 2)
    assert load.errors == {"(1, 3) values for 2 texts": 1}


def test_a_vector_that_is_no_unit_is_an_error() -> None:
    """Its length is named."""
    with stand_in([[0.5, 0.0]]) as port:
        load = measured(port, 1)
    assert load.errors == {"a vector of length 0.500": 1}


def test_refusals_are_no_throughput() -> None:
    """They are counted by status, and add nothing to the texts."""
    with stand_in([], 503) as port:
        load = measured(port, 1)
        with pytest.raises(OSError, match="503"):
            send(port, WORKER, [["a"]])
    assert load.texts == 0
    assert load.errors["503"] > 0


def test_a_limit_has_its_turn_after_each_of_the_system() -> None:
    """A machine that gets slower turn by turn slows both: 2 ms remain 2 ms, and half the speed remains half."""
    asked: list[tuple[str, float]] = []

    def side(name: str, added: float, factor: float) -> turns.Side:
        def figure(case: Case, _seconds: float, client_cpu: float) -> turns.Turn:
            asked.append((name, client_cpu))
            number = len(asked) // 2
            return turns.Turn(number + added if case.is_latency else factor * (100 - number), 0.25)

        return figure

    ours, limit = side("ours", 3.0, 0.5), side("limit", 0.0, 1.0)
    assert turns.in_turns(ours, limit, C1, 1.0) == pytest.approx(2.0)
    assert turns.in_turns(ours, limit, C32, 1.0) == pytest.approx(0.5, abs=0.01)
    assert asked[:4] == [("ours", 0.0), ("limit", 0.25)] * 2  # what the load generator used burns beside the limit


def test_a_speed_in_turns_counts_whole_requests() -> None:
    """An answer that comes after the window counts with its time: 0.4 s for each is 2.5 texts/s, not none."""
    with stand_in([UNIT], delay=0.4) as port:
        load = closed_loop(port, WORKER, batches(block(0), 1), 1, seconds=0.1, warm=0.1)
    assert load.texts == 0
    assert 0 < load.whole_texts_per_s <= 2.5


def test_a_turn_with_a_wrong_answer_is_no_figure() -> None:
    """It is an error that says what was wrong."""
    with stand_in([[2.0]]) as port, pytest.raises(OSError, match=r"length 2\.000"):
        turns.server(port, WORKER, block(0))(C1, 0.3, 0.0)


def test_a_server_that_hangs_up_is_an_error() -> None:
    """The exchange fails at once instead of waiting for ever."""

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async def exchange() -> None:
        async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
            connection = await Connection.open(server.sockets[0].getsockname()[1])
            async with asyncio.timeout(5):
                await connection.exchange(WORKER.request(["a"]))

    with pytest.raises(ConnectionError):
        asyncio.run(exchange())


def test_a_client_outlives_its_connection() -> None:
    """After an answer that says `Connection: close`, it asks on another one."""

    def last(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        reply(handler, 200, Connection="close")

    async def twice(port: int) -> list[int]:
        client = Client(port)
        return [(await client.ask(WORKER.request(["a"]))).status for _ in range(2)]

    with serving(last) as url:
        assert asyncio.run(twice(int(url.rpartition(":")[2]))) == [200, 200]


def test_a_vector_of_another_text_is_found() -> None:
    """Two swapped rows are two wrong ones, also when all values are otherwise right."""
    vectors = np.eye(4, 8, dtype=np.float32)
    reference = Reference(vectors, [1, 1, 1, 1])
    right, swapped = (Answer(200, {}, vectors[rows].tobytes()) for rows in ([3, 0, 2], [0, 3, 2]))
    assert reference.wrong([3, 0, 2], right) == 0
    assert reference.wrong([3, 0, 2], swapped) == 2
