"""Kept connections are of bounded age, so that busy clients find replicas that joined."""

from collections import Counter, deque
from itertools import repeat

import pytest

from loadtest.closed_loop import ClosedLoop, Sent
from loadtest.request import Request
from stack import until
from tests.harness.sample import Start, World

CLIENTS = 8
RECENT = 400  # answers
SHARED = {"SHARED_PORT": "1"}


class Answers:
    """What keep-alive clients got: the processes that gave the last answers, and every failure."""

    def __init__(self) -> None:
        self.pids: deque[int] = deque(maxlen=RECENT)
        self.failed: Counter[str] = Counter()

    def note(self, sent: Sent[None]) -> None:
        """Count a request."""
        if sent.answer is None:
            self.failed[sent.error] += 1
        elif sent.answer.status == 200:  # the kernel does not wait for readiness, as a balancer would
            self.pids.append(sent.answer.json()["pid"])

    @property
    def least(self) -> float:
        """The smallest share of the last answers that any process has given."""
        recent = Counter(self.pids.copy())
        return min(recent.values()) / recent.total() if len(recent) > 1 else 0.0


def busy_clients(port: int, answers: Answers) -> ClosedLoop[None]:
    """Clients that ask again and again, each on one connection for as long as it may."""
    requests = repeat((None, Request("/work?seconds=0.01", method="GET").wire()))
    return ClosedLoop(port, requests, answers.note, CLIENTS, timeout=10)


def test_busy_clients_find_a_replica_that_joined(world: World, start: Start) -> None:
    """Behind what shares out connections, as kube-proxy does (here the kernel), it gets its part of their calls."""
    first = start(**SHARED, CONNECTION_MAX_AGE=0.5).wait_ready()
    answers = Answers()
    with busy_clients(first.port, answers):
        until(lambda: len(answers.pids) == RECENT, 20, "clients are served", lambda: answers.failed)
        second = start(**SHARED, CONNECTION_MAX_AGE=0.5, PORT=first.port)
        second.wait_for_log("-> ready")
        until(lambda: answers.least > 0.25, 15, "both serve them", lambda: f"{answers.least:.2f}")
    assert not answers.failed


def test_a_young_connection_is_kept(world: World, start: Start) -> None:
    """By default, a client's connection is used again."""
    service = start().wait_ready()
    answers = Answers()
    with busy_clients(service.port, answers) as clients:
        until(lambda: len(answers.pids) == RECENT, 20, "clients are served", lambda: answers.failed)
        assert clients.opened == CLIENTS


@pytest.mark.parametrize("age", ["0", "-1", "inf"])
def test_an_age_is_a_positive_number(world: World, start: Start, age: str) -> None:
    """Nothing else is taken."""
    service = start(CONNECTION_MAX_AGE=age)
    assert service.wait_exit() == 3
    assert "bad setting CONNECTION_MAX_AGE" in service.log
