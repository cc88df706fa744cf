"""Readiness that depends on a shared database, and readiness that doesn't, with several replicas."""

from drills.balancer import Balancer
from drills.drill import Drill
from drills.scenarios.test_stores import embeddings
from loadtest.openloop import Stream

REPLICAS = 3
RATE = 80.0  # requests/s: each opens a connection, through a balancer written in Python


def test_coupling(drill: Drill) -> None:
    stack = drill.stack
    drill.undo(lambda: stack.scale("api", 1))
    with Balancer(stack.scale("api", REPLICAS)) as balancer:
        makers = {"api_repeated": 1.0, "api_fresh": 1.0, "search": 1.0}
        streams = [Stream(maker, balancer.url, weight, connections="fresh") for maker, weight in makers.items()]
        embeddings(drill)
        drill.load(*streams, rate=RATE)
        drill.go(0.2)
        drill.watches["api"].know()
        with drill.fault(lambda: stack.start("postgres")):
            stack.stop("postgres")
            drill.hold(6)
        drill.until_ready("api")
        drill.go(1)
        rows = drill.finish()
    drill.measure(
        replicas=REPLICAS,
        unready_at_once=balancer.most_unready,
        embeddings_lost=sum(row.stream != "search" and not row.ok for row in rows),
        embeddings_sent=sum(row.stream != "search" for row in rows),
        searches_refused=sum(row.code is not None for row in rows if row.stream == "search"),
        searches_lost=sum(not row.ok and row.code is None for row in rows if row.stream == "search"),
    )
