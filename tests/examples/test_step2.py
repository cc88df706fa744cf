"""Step 2: a cache that is away degrades the service, and a database that is lost fails only what needs it."""

import sqlite3
from pathlib import Path

from stack.port_claims import free_ports
from stack.waiting import until
from tests.examples.conftest import Serve
from tests.examples.redis_stand_in import redis_at
from tests.examples.servers import Server

APP = "step2_dependencies:app"


def test_without_its_cache_the_service_is_ready_and_says_so(serve: Serve) -> None:
    """What may be missing is None in routes and `degraded` in probes; it is opened when it comes."""
    port = free_ports()["valkey"]
    server = serve(APP, CACHE=f"127.0.0.1:{port}").wait_ready()
    assert server.post("/predict", [0, 1]).json() == {"prediction": 1, "count": None}
    assert "[-]cache failed: degraded" in server.get("/readyz?verbose").body.decode()
    with redis_at(port):
        until(lambda: server.post("/predict", [0, 1]).json()["count"] == ":1", 30, "a cache that counts")


def refusal(server: Server) -> dict[str, str] | None:
    """The error of a 503 from the route that needs the database."""
    answer = server.post("/feedback?value=1", None)
    error: dict[str, str] = answer.json()["error"]
    return error if answer.status == 503 else None


def test_a_lost_database_fails_only_the_route_that_needs_it(serve: Serve, tmp_path: Path) -> None:
    """That route is a 503 which names the database; the others, and readiness, stay. It heals without a restart."""
    server = serve(APP, DATABASE=tmp_path / "predictions.db").wait_ready()
    assert server.post("/feedback?value=1", None).json() == {"count": 1}
    database = sqlite3.connect(tmp_path / "predictions.db")
    database.execute("ALTER TABLE predictions RENAME TO away")
    refused = until(lambda: refusal(server), 30, "a typed refusal")  # one of three processes may be the first to notice
    assert (refused["code"], "database" in refused["message"]) == ("dependency_unavailable", True)
    assert server.post("/predict", [0, 1]).status == 200
    assert server.get("/readyz").status == 200
    database.execute("ALTER TABLE away RENAME TO predictions")
    until(lambda: server.post("/feedback?value=1", None).status == 200, 30, "a healed database")
