"""The prober, and the request it makes, against a small server."""

from contextlib import AbstractContextManager

import pytest

from stack import free_ports, until
from stack.http import FAILURES, ask
from stack.ports import HOST
from stack.prober import NONE, Look, Prober, Track
from stack.tests.server import reply, serving


def answering(status: list[int], port: int) -> AbstractContextManager[str]:
    """The URL of a server that gives the first of these statuses, and the path as the body."""
    return serving(lambda handler: reply(handler, status[0], handler.path.encode()), HOST, port)


def test_it_keeps_each_change_and_each_look() -> None:
    """Nobody listens, then a 503, then a 200: each stands in the track once, with the time of its first look."""
    port, status = free_ports()["api"], [503]
    with Prober(f"http://{HOST}:{port}", ["/readyz"], period=0.01) as prober:
        track = prober.tracks["/readyz"]
        until(lambda: track.looks, 10, "a first look")
        with answering(status, port):
            until(lambda: track.now == "503", 10, "a refusal")
            status[0] = 200
            until(lambda: track.now == "200", 10, "an answer")
    assert track.values[:3] == [NONE, "503", "200"]
    assert len(track.looks) >= 3
    assert track.slowest > 0
    found = track.first("200")
    assert found
    assert found.at == track.changes[2].at < found.ended


def test_a_path_that_gave_its_last_answer_is_asked_no_more() -> None:
    """The others are asked on."""
    with (
        answering([200], free_ports()["api"]) as url,
        Prober(url, ["/livez"], period=0.01, last="200") as once,
        Prober(url, ["/livez"], period=0.01) as again,
    ):
        until(lambda: len(again.tracks["/livez"].looks) > 20, 10, "more looks")
    assert len(once.tracks["/livez"].looks) == 1


def test_a_service_that_has_moved_is_followed() -> None:
    """When nobody answers any more, its address is asked for again."""
    first, second = free_ports()["api"], free_ports()["worker"]
    where = [first]
    with (
        answering([200], second),
        Prober(lambda: f"http://{HOST}:{where[0]}", ["/livez"], period=0.01) as prober,
    ):
        track = prober.tracks["/livez"]
        until(lambda: track.looks and track.now == NONE, 10, "no answer")
        where[0] = second
        until(lambda: track.now == "200", 10, "an answer")


def test_a_change_is_found_after_a_moment() -> None:
    """`first` looks for a change that began later than what it is given; a value that stays is no change."""
    track = Track()
    for at, value in enumerate(("200", "200", "503", "200")):
        track.note(Look(at, value))
    assert track.first("200") == Look(0, "200")
    assert track.first("200", after=0.5) == Look(3, "200")
    assert track.first("404") is None


def test_one_request_has_its_query_and_its_answer() -> None:
    """Whatever the status is; an address where nobody listens raises."""
    port = free_ports()["api"]
    with answering([404], port) as url:
        answer = ask(f"{url}/readyz?verbose")
    assert (answer.status, answer.body) == (404, b"/readyz?verbose")
    with pytest.raises(FAILURES):
        ask(f"http://{HOST}:{port}/livez")
