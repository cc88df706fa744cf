"""The services with one protection switched off each, which the drills must notice.

A service runs under the worker class of this module, which breaks what DRILL_CONTROL names before the application is
loaded. The stack gives the services this file alone (`Stack.share`), so it can import nothing of the drills.
"""

import asyncio
import ctypes
import math
import os
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from typing import Any

from warmstart.lifecycle import place
from warmstart.lifecycle.phase import Phase
from warmstart.pod import process
from warmstart.pod.worker import Worker

NEW_MOUNTS, BIND, PRIVATE = 0x20000, 0x1000, 0x44000  # CLONE_NEWNS, MS_BIND, MS_REC | MS_PRIVATE


class Controlled(Worker):
    """warmstart's worker class, with one protection broken in each process."""

    def init_process(self) -> None:
        """Break the protection, then run as always."""
        for each in os.environ["DRILL_CONTROL"].split(","):
            globals()[each]()
        super().init_process()


def own_name_server() -> None:
    """Names are asked of the server that the drill's resolv.conf names; a drill needs this, too."""
    libc = ctypes.CDLL(None, use_errno=True)
    file = os.environ["DRILL_RESOLV_CONF"].encode()
    if (
        libc.unshare(NEW_MOUNTS)
        or libc.mount(b"none", b"/", None, PRIVATE, None)
        or libc.mount(file, b"/etc/resolv.conf", None, BIND, None)
    ):
        raise OSError(ctypes.get_errno(), "this process can't have a resolv.conf of its own")


def names_asked_once() -> None:
    """A name leads for ever where it led first."""
    from api import addresses

    addresses.FRESH = float("inf")
    addresses.KeptAddresses.forget = lambda self: None  # type: ignore[method-assign]


def slow_by_address() -> None:
    """The switch `slow_calls` may name one replica: `inference@host:port`; drills need this, too."""
    import socket

    from warmstart.faults import Switches
    from warmstart.pod.master import Master

    hold = Switches.hold_call
    hosts = {"127.0.0.1", socket.gethostbyname(socket.gethostname())}

    def held(self: Switches, thread: str) -> None:
        for name in (thread, *(f"{thread}@{host}:{Master.settings.port}" for host in hosts)):
            hold(self, name)

    Switches.hold_call = held  # type: ignore[method-assign]


def no_gate() -> None:
    """Requests reach a process that is not warm."""
    from warmstart.http import gate

    gate.Gate._passes = lambda self, path: True  # type: ignore[method-assign]


def nothing_is_fatal() -> None:
    """The start waits even where waiting can't help."""
    from warmstart.lifecycle import fatal

    fatal.HOPELESS = ()


def everything_is_fatal() -> None:
    """The start doesn't wait for a dependency that is missing at first."""
    from warmstart.lifecycle import fatal

    fatal.HOPELESS = (Exception,)


def no_leaving() -> None:
    """SIGTERM waits until the process is warm."""
    from warmstart.lifecycle import lifespan as lifecycle

    async def wait(self: lifecycle.Lifecycle) -> None:
        await asyncio.wait({self._warmup})

    lifecycle.Lifecycle._abort = wait  # type: ignore[method-assign]


def no_drain() -> None:
    """SIGTERM ends the process at once, whatever it is doing."""
    from warmstart.lifecycle import lifespan as lifecycle

    async def leave(self: lifecycle.Lifecycle, phase: Phase) -> None:
        place.leave(0)

    lifecycle.Lifecycle._drain = leave  # type: ignore[method-assign]


def cold_replacement() -> None:
    """A replacement takes connections before it is warm, although other processes serve."""
    process.Process.sibling_serves = lambda self: False  # type: ignore[method-assign]


def no_retry() -> None:
    """The api sends each request to the worker only once."""
    from api.worker_sessions import Call, WorkerSessions

    async def once(self: WorkerSessions, asked: Call) -> Any:
        with self._pool.session() as session:
            reply, body, _ = await self._send(session, asked)
            return reply, body

    WorkerSessions.ask = once  # type: ignore[method-assign]


def endless_tries() -> None:
    """The api sends a request to the worker again and again, until its time is over."""
    from aiohttp import ClientError

    from api.worker_sessions import Call, WorkerSessions

    async def again(self: WorkerSessions, asked: Call) -> Any:
        while True:
            with suppress(ClientError, ConnectionError):
                reply, body, _ = await self._send(self._fresh, asked)
                return reply, body
            await asyncio.sleep(0.01)

    WorkerSessions.ask = again  # type: ignore[method-assign]


def calls_in_turn() -> None:
    """The api gives calls to the worker's replicas in turn, however many each has in flight."""
    from api.replicas import Replica

    Replica.rank = lambda self, now: (self.hung, self._avoided_until > now, 0, self._turn)  # type: ignore[method-assign]


def hung_keep_calls() -> None:
    """The api doesn't notice that a worker is silent."""
    from api.replicas import Replica

    Replica.is_silent = lambda *_: False  # type: ignore[method-assign]


def dead_stay_pooled() -> None:
    """The pool keeps handing out connections that were found dead."""
    from sqlalchemy.pool import base

    base.Pool._invalidate = lambda *arguments, **options: None  # type: ignore[method-assign]
    base._ConnectionRecord.invalidate = lambda *arguments, **options: None  # type: ignore[method-assign]


def no_cache() -> None:
    """No text is known."""
    from api.cache import Cache

    async def none(self: Cache, keys: Sequence[bytes], dimensions: int) -> dict[bytes, Any]:
        return {}

    Cache.get = none  # type: ignore[method-assign]


def patient_cache() -> None:
    """Calls to Redis have ten seconds instead of a quarter of one."""
    from api import redis_connection

    redis_connection.SOCKET_TIMEOUT = 10.0


def chatty_sample() -> None:
    """The health sample of Postgres takes four round trips: a transaction around two queries."""
    from api import postgres_health

    async def chatty(self: postgres_health.PostgresHealth, connection: Any) -> str | None:
        async with connection.transaction():
            await connection.fetchval("SELECT 1", timeout=postgres_health.SAMPLE_TIMEOUT)
            await connection.fetchval("SELECT 2", timeout=postgres_health.SAMPLE_TIMEOUT)
        return None

    postgres_health.PostgresHealth._failure = chatty  # type: ignore[method-assign]


def sample_connects_anew() -> None:
    """Each health sample of Postgres has a connection of its own."""
    from api.postgres_health import PostgresHealth

    check = PostgresHealth.check

    async def anew(self: PostgresHealth) -> None:
        self.close()
        self._kept = None
        await check(self)

    PostgresHealth.check = anew  # type: ignore[method-assign]


def worker_pool_stays() -> None:
    """Idle connections to the worker stay in use, though it doesn't answer."""
    from api.worker_pool import WorkerPool

    WorkerPool.renew = lambda self: None  # type: ignore[method-assign]


def idle_stay_pooled() -> None:
    """Idle connections stay in the pool, though Postgres doesn't answer."""
    from api.postgres_idle import IdleConnections

    IdleConnections.end = lambda self: None  # type: ignore[method-assign]


def replicas_stay_pooled() -> None:
    """A connection stays in use when the server it leads to takes no writes any more."""
    from api import postgres

    postgres.leads_to_replica = lambda error: False  # type: ignore[attr-defined]


def read_only_is_lost() -> None:
    """A Postgres that takes no writes is not asked to read, either."""
    from api import dependencies
    from api.patience import Patience

    def refuse(self: Patience, why: str, waiting: int) -> None:
        raise self.refusal(why, "refused")

    dependencies.hopeless = lambda failure: failure is not None  # type: ignore[attr-defined]
    Patience.check = refuse  # type: ignore[method-assign]


def full_disk_is_unknown() -> None:
    """An error about resources is an error of the statement."""
    from api import postgres_errors

    postgres_errors.UNAVAILABLE_CLASSES.discard("53")


def sparse_metrics() -> None:
    """Files of metrics get their blocks when they are written."""
    from warmstart.pod import metric_space

    metric_space._reserve = lambda file, size: True


def ages_by_the_wall_clock() -> None:
    """The age of a connection to Postgres depends on what time it is."""
    import time

    from api import postgres_ages

    postgres_ages.monotonic = lambda: time.time()  # type: ignore[attr-defined] # noqa: PLW0108 - it may be replaced


def file_read_once() -> None:
    """A secret is what its file said at the start."""
    from warmstart.settings.service import ServiceSettings

    ServiceSettings.read_again = lambda self, name: None  # type: ignore[method-assign]


def cache_required() -> None:
    """A request fails when Redis fails."""
    from api import embedders
    from warmstart.errors import DependencyUnavailable

    embedders_of = embedders.embedders_of

    def demanding(request: Any) -> Any:
        if failure := request.app.state.lifecycle.failure("redis"):
            raise DependencyUnavailable("redis", failure)
        return embedders_of(request)

    embedders.embedders_of = demanding


def cache_errors_count() -> None:
    """A failed call to Redis is an error of the request, not a miss."""
    from api import cache

    cache.FAILURES = ()  # type: ignore[assignment]


def no_single_flight() -> None:
    """Each request has its own texts computed, though others wait for the same."""
    from api.singleflight import Flight, SingleFlight

    async def alone(self: SingleFlight[Any, Any], keys: Any, work: Any, until: float = math.inf) -> Any:
        return await work(Flight(list(dict.fromkeys(keys)), until))

    SingleFlight.run = alone  # type: ignore[method-assign]


def next_model_required() -> None:
    """A document is stored with vectors of both models, or not at all."""
    from api import document_vectors

    async def demanding(seconds: float, other: asyncio.Task[Any]) -> Any:
        return await other

    document_vectors._within = demanding


def endless_queue() -> None:
    """The worker refuses no request: all wait, however long it takes."""
    from worker.admission import Admission

    Admission.check = lambda *arguments, **options: None  # type: ignore[method-assign]


def inference_on_the_loop() -> None:
    """The worker computes on its event loop."""
    from concurrent.futures import Future

    from worker.executor import DaemonExecutor

    def at_once(self: DaemonExecutor, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future

    DaemonExecutor.submit = at_once  # type: ignore[method-assign]


def one_lane() -> None:
    """All calls wait in the lane of interactive calls."""
    from contract import lane

    lane.asked = lambda headers: lane.Lane.INTERACTIVE


def no_outcomes() -> None:
    """Failed passes don't make the engine unhealthy."""
    from worker.health import EngineHealth

    EngineHealth.check = lambda self: None  # type: ignore[method-assign]


def no_disconnect() -> None:
    """The worker goes on working for clients that have left."""
    from worker import routes

    async def regardless(request: object, work: Awaitable[Any]) -> Any:
        return await work

    routes.unless_disconnected = regardless  # type: ignore[attr-defined]


def chats_go_on() -> None:
    """The api goes on with the chats of clients that have left."""
    from api.chat import answer

    async def regardless(request: object, work: Awaitable[Any]) -> Any:
        return await work

    answer.unless_disconnected = regardless  # type: ignore[attr-defined]


def no_lingering() -> None:
    """A connection is closed with its answer, although the client may still be sending."""
    from warmstart.pod.connection.lingering import Lingering

    Lingering.close = lambda self: self._transport.close()  # type: ignore[method-assign]
