"""Chats through the stand-in for a chat model."""

import json
import random
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial
from itertools import cycle

from drills.drill import Drill
from drills.ledger import kind
from drills.requests import QUESTION, chat
from drills.upstream import Upstream
from loadtest.openloop import Row as Request
from loadtest.openloop import Stream
from loadtest.openloop.client import Client
from loadtest.openloop.outcome import outcome
from loadtest.openloop.peer import Peers
from stack.health import age
from stack.http import FAILURES, ask
from stack.interface import CHAT

EMBEDDINGS, CHATS, SHORT = (f"drills.requests:{maker}" for maker in ("embedding", "chat", "short_chat"))
RATE, SHARE = 60.0, 0.15  # requests/s, and the share of chats
OPEN, OPEN_WITHIN, READ_WITHIN = 50, 30.0, 60.0  # streams, and seconds for a busy machine
# The other 19 tokens of an answer take 9.5 s: longer than two new processes need, one after the other. The bound of
# 15 s begins later, when the first of them is ready.
TOKENS_PER_SECOND = 2.0
ENDS_WITHIN = 8.0  # seconds; the api's limits are 1 s, and a few more for a busy machine
CLIENTS, AT_ONCE = 200, 20
CANCELLED_WITHIN = 5.0  # seconds
RETRY_AFTER = 7
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: api\r\nContent-Type: application/json\r\n"
# What its switches do, and how a chat ends then: before the first token with a status, after it with an event.
FAULTS: dict[str, tuple[dict[str, float], str]] = {
    "silence ends in a typed error": ({"silent_after": 5}, "200 chat_timeout"),
    "a cut stream ends in a typed error": ({"cut_after": 5}, "200 chat_broken"),
    "a late answer is a typed error": ({"first_token_seconds": 30}, "504 chat_timeout"),
    "a cut before the first token is a typed error": ({"cut_after": 0}, "502 chat_broken"),
    "a full server is a typed error": ({"status": 429, "retry_after": RETRY_AFTER}, "429 chat_rate_limited"),
    "a broken server is a typed error": ({"status": 500}, "502 chat_failed"),
}


def test_chat_rolling(drill: Drill) -> None:
    upstream = Upstream(drill.stack)
    drill.undo(upstream.switch)
    drill.stack.inject("api", {"slow_warmup": 1})  # a request that reaches a new process too early is refused
    doors = two_replicas(drill)
    upstream.switch(silent_after=2)  # holds the long answers until the roll; those of the load have one token
    with ThreadPoolExecutor(OPEN) as pool:
        streams = [pool.submit(read, door, number) for number, door in zip(range(OPEN), cycle(doors), strict=False)]
        drill.until("all streams are open", partial(are_open, upstream, OPEN), OPEN_WITHIN)
        drill.prove("50 streams are open", upstream.counts["open"] == OPEN)
        makers = ((EMBEDDINGS, 1 - SHARE), (SHORT, SHARE))
        drill.load(*(Stream(maker, door, weight) for maker, weight in makers for door in doors), rate=RATE)
        drill.go(0.1)
        with drill.fault():
            began = time.monotonic()
            upstream.switch(tokens_per_second=TOKENS_PER_SECOND)
            drill.stack.roll("api")
            drill.until("all streams end", lambda: all(each.done() for each in streams), READ_WITHIN + 1)
        rows = [each.result() for each in streams]
    drill.prove("they are replaced", all(age(door) < time.monotonic() - began for door in doors))
    ends = Counter(map(kind, rows))
    drill.expect("no stream is cut", ends == {"ok": OPEN}, dict(ends))
    upstream.switch()
    afterwards = Counter(kind(read(door, OPEN)) for door in doors)
    drill.expect("the new ones stream", afterwards == {"ok": len(doors)}, dict(afterwards))
    drill.go(0.5)
    drill.finish()
    drill.measure(streams=OPEN, whole=ends["ok"], longest_stream=max(row.latency for row in rows))
    count_new_chats(drill)


def two_replicas(drill: Drill) -> list[str]:
    """Two of the api until the end of the drill, and where clients find them: embedded, nothing stands before them."""
    drill.undo(lambda: drill.stack.scale("api", 1))
    replicas = drill.stack.scale("api", 2)
    return replicas if drill.system.kind == "embedded" else [drill.stack.url("api")]


def count_new_chats(drill: Drill) -> None:
    """How many came before, during and after the fault; that none failed, the ledger says."""
    begin, end = drill.fault_times
    sent = [row.sent for row in drill.rows("short_chat")]
    before, after = sum(each < begin for each in sent), sum(each > end for each in sent)
    during = len(sent) - before - after
    drill.prove("chats come before, during and after", before and during and after)
    drill.measure(chats_before=before, chats_meanwhile=during, chats_after=after)


def read(url: str, number: int) -> Request:
    """Open a stream on a connection of its own, and read it to its end."""
    request, now = chat(random.Random(number), number), time.monotonic()
    exchange = Client(url, pooled=False, peers=Peers()).send(request, now + READ_WITHIN)
    return outcome(Request(number, "chat", now, now), request, exchange)


def test_chat_upstream(drill: Drill) -> None:
    upstream = Upstream(drill.stack)
    drill.promise("other routes lose nothing", lambda row: row.stream != "chat")
    url = drill.stack.url("api")
    drill.load(Stream(EMBEDDINGS, url, weight=1 - SHARE), Stream(CHATS, url, weight=SHARE), rate=RATE)
    drill.go(0.1)
    with drill.fault(partial(put_back, drill, upstream)):
        for fact, (switches, end) in FAULTS.items():
            upstream.switch(**switches)
            since = time.monotonic()
            drill.until(fact, partial(ended, drill, end, since), ENDS_WITHIN)
        upstream.switch()
        drill.stack.stop(CHAT)
        drill.until("it is missing from the checks", lambda: check(drill) == 503, 15)
        since = time.monotonic()
        drill.prove("the check sees that it is gone", check(drill) == 503)
        gone = "without a server a chat is a typed error"
        drill.until(gone, partial(ended, drill, "503 dependency_unavailable", since), ENDS_WITHIN)
    drill.until("the check sees that it is back", lambda: check(drill) == 200, 15)
    drill.until("chats are answered again", lambda: ended(drill, "ok", drill.fault_times[1]), 15)
    drill.go(0.5)
    silent = [row for row in drill.finish() if row.status == 429 and row.retry_after != RETRY_AFTER]
    drill.expect("the server's Retry-After is passed on", not silent, f"{len(silent)} without it")


def ended(drill: Drill, how: str, since: float) -> bool:
    """Whether a chat that was sent since then has ended so, as the ledger says it."""
    return any(row.sent > since and row.done is not None and kind(row) == how for row in drill.rows("chat"))


def check(drill: Drill) -> int:
    """The status of the api's check of its chat server; 0 without an answer."""
    with suppress(*FAILURES):
        return ask(f"{drill.stack.probe_url('api')}/readyz/chat").status
    return 0


def put_back(drill: Drill, upstream: Upstream) -> None:
    """Start the server, if it doesn't run, and let it serve as by default."""
    if not drill.stack.pids(CHAT):
        drill.stack.start(CHAT)
    upstream.switch()


def test_chat_clients_leave(drill: Drill) -> None:
    upstream = Upstream(drill.stack)
    drill.undo(upstream.switch)
    upstream.switch(silent_after=1)
    drill.load(EMBEDDINGS, rate=RATE)
    drill.go(0.1)
    with ExitStack() as held:
        for number in range(AT_ONCE, CLIENTS + 1, AT_ONCE):
            for _ in range(AT_ONCE):
                held.enter_context(client(drill))
            drill.until("all calls are open", partial(are_open, upstream, number), OPEN_WITHIN)
        drill.prove("200 calls are open", upstream.counts["open"] == CLIENTS)
        with drill.fault():
            held.close()
            cancelled = "their calls are cancelled"
            took = drill.until(cancelled, lambda: upstream.counts["cancelled"] == CLIENTS, CANCELLED_WITHIN)
    drill.expect("none is open", upstream.counts["open"] == 0, upstream.counts)
    drill.go(0.5)
    drill.finish()
    drill.measure(clients_that_left=CLIENTS, seconds_until_cancelled=took)


def are_open(upstream: Upstream, number: int) -> bool:
    """Whether so many calls are open. Raises RuntimeError otherwise, with the counts."""
    if (counts := upstream.counts)["open"] != number:
        raise RuntimeError(str(counts))
    return True


def client(drill: Drill) -> socket.socket:
    """One that has asked, and reads nothing."""
    found = socket.create_connection(drill.address("api"), timeout=10)
    body = json.dumps(QUESTION).encode()
    found.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    return found
