"""Postgres changed while it serves: demoted, moved, its password rotated."""

import time
from urllib.parse import urlsplit

from drills.database import demote, promote, sql, standby, switch_over
from drills.drill import Drill
from stack.http import ask
from stack.operator_key import operator_headers

STREAMS = ("api_repeated", "search", "document")
RATE = 50.0  # requests/s: at 100 a weak CPU caught up only after 5 s with the writes that had waited
ROLE = "drill_rotated"
SEEN = 3.0  # seconds until two samples of every second have surely been taken


def test_postgres_demoted(drill: Drill) -> None:
    stack = drill.stack
    drill.promise("reading goes on", lambda row: row.stream != "document")
    drill.load(*STREAMS, rate=RATE)
    drill.go(0.3)
    with drill.fault(lambda: promote(stack)):
        demote(stack)
        drill.hold(SEEN)
        shown = ask(f"{stack.url('api')}/readyz?verbose", more=operator_headers()).body.decode()
        drill.prove("it is read-only", "[-]postgres failed: degraded: read-only" in shown)
    promoted = time.monotonic()
    drill.go(1)
    rows = drill.finish()
    drill.served("writing goes on at once", [row for row in rows if row.scheduled > promoted])
    refused = [row for row in rows if row.stream == "document" and not row.ok]
    drill.prove("writes are refused", refused)
    drill.measure(writes_refused=len(refused))


def test_postgres_moved(drill: Drill) -> None:
    stack, folder = drill.stack, drill.folder / "standby"
    with standby(stack, folder) as other:
        old, new = (urlsplit(each.url("postgres")) for each in (stack, other))
        both = old._replace(netloc=f"{old.netloc},{new.hostname}:{new.port}").geturl()
        drill.start("api", DATABASE_URL=both)
        drill.system.prove_steady()
        drill.watch()
        drill.load(*STREAMS)
        drill.go(0.2)
        drill.undo(lambda: promote(stack))
        with drill.fault():
            began = time.monotonic()
            switch_over(stack, other)
            moved, promoted = time.monotonic(), sql(other, "SELECT clock_timestamp()")
        drill.go(1)
        rows = drill.finish()
        written = sql(other, f"SELECT count(*) FROM documents WHERE updated_at > '{promoted}'")
        drill.prove("the new one is written to", int(written))
    drill.measure(seconds_without_a_primary=moved - began, asked_afterwards=sum(row.scheduled > moved for row in rows))
    drill.served("reading goes on", [row for row in rows if row.stream != "document"])
    drill.served("none is lost once the new one answers", [row for row in rows if row.scheduled > moved])


def test_credentials_rotated(drill: Drill) -> None:
    stack = drill.stack
    sql(stack, f"DROP ROLE IF EXISTS {ROLE}", f"CREATE ROLE {ROLE} LOGIN SUPERUSER PASSWORD 'first'")
    known = urlsplit(stack.environment("api")["DATABASE_URL"])

    def tell(password: str) -> str:
        address = known._replace(netloc=f"{ROLE}:{password}@{known.netloc.rpartition('@')[2]}")
        return f"{stack.share('database-url', address.geturl())}/database-url"

    drill.start("api", DATABASE_URL="", DATABASE_URL_FILE=tell("first"))
    drill.system.prove_steady()
    drill.watch()
    drill.load(*STREAMS)
    drill.go(0.3)
    with drill.fault():
        sql(stack, f"ALTER ROLE {ROLE} PASSWORD 'second'")
        drill.hold(0.5)
        tell("second")
        ended = sql(stack, f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = '{ROLE}'")
        drill.hold(1)
    drill.prove("connections are made anew", int(ended))
    drill.measure(connections_ended=ended)
    drill.go(1)
    drill.finish()
