"""Restarts under load, overload, and clients that leave or dawdle."""

from drills.names import no_name_server
from drills.row import STEADY, Control, Probes, Row
from drills.rows.common import BOTH, COUPLED, HICCUPS, NETWORK, NEW_POD, ONE_A_PASS, UNAVAILABLE

ROWS = (
    Row(
        "rolling_restart_api",
        "A rolling restart of the api under load loses no request.",
        "the api is replaced: SIGHUP (embedded), one container after another (compose)",
        probes={"api": STEADY},
        bites=("it is replaced",),
        cluster="a new pod beside the old one; the watch goes on at the new one when the old one is gone",
        elsewhere={"compose": {"probes": {"api": NETWORK}}, "kubernetes": {"probes": {"api": NEW_POD}}},
        restarts=None,
        settings={"api": {"DRAIN_SECONDS": "5"}},
        control=Control("the drain", breaks="clients", patches={"api": "no_drain"}),
    ),
    Row(
        "rolling_restart_worker",
        "A rolling restart of the worker under load loses no request of the api's clients.",
        "the worker is replaced: SIGHUP (embedded), one container after another (compose)",
        probes=BOTH,
        bites=("it is replaced",),
        cluster="a new pod beside the old one; the watch goes on at the new one when the old one is gone",
        elsewhere={
            "compose": {"probes": {"worker": NETWORK, "api": NETWORK}},
            "kubernetes": {"probes": {"worker": NEW_POD, "api": STEADY}},
        },
        restarts=None,
        settings={"worker": {"DRAIN_SECONDS": "5"}},
        control=Control(
            "the drain and the api's retry", breaks="clients", patches={"worker": "no_drain", "api": "no_retry"}
        ),
    ),
    Row(
        "workers_added",
        "Workers that join a busy api get their share of its calls within 15 s, and no request is lost.",
        "the worker is scaled from one replica to three under load",
        probes=BOTH,
        bites=("replicas join",),
        cluster="kube-proxy divides the api's connections, at random, between pods that are ready",
        elsewhere={
            "compose": {"probes": {"worker": NETWORK, "api": NETWORK}},
            "kubernetes": {"probes": {"worker": NEW_POD, "api": STEADY}},
        },
        starts=("api",),
        restarts=None,
        control=Control(
            "CONNECTION_MAX_AGE, and without new look-ups",  # on compose, each of them is enough
            breaks="each gets its share",
            settings={"worker": {"CONNECTION_MAX_AGE": "3600"}},
            patches={"api": "names_asked_once"},
        ),
    ),
    Row(
        "workers_removed",
        "Workers that leave a busy api drain first: no request is lost, and the one that stays gets all calls.",
        "the worker is scaled from three replicas to one under load",
        probes=BOTH,
        bites=("replicas leave",),
        cluster="pods end in any order; kube-proxy gives new connections to those that are ready and don't end",
        elsewhere={
            "compose": {"probes": {"worker": NETWORK, "api": NETWORK}},
            "kubernetes": {"probes": {"worker": NEW_POD, "api": STEADY}},
        },
        starts=("api",),
        restarts=None,
        settings={"worker": {"DRAIN_SECONDS": "3"}},
        control=Control(
            "the drain and the api's retry", breaks="clients", patches={"worker": "no_drain", "api": "no_retry"}
        ),
    ),
    Row(
        "one_of_three_slow",
        "Of three workers one is ten times as slow: it gets few calls, none is lost, and most are as fast as ever.",
        "fault switch: a pass of one worker takes a second, one of the others 100 ms; a name leads to all three",
        probes=BOTH,
        bites=("one is slow",),
        cluster="not run",
        elsewhere={
            "compose": {"probes": {"worker": NETWORK, "api": NETWORK}, "patches": {"worker": "slow_by_address"}}
        },
        starts=("api",),
        restarts=None,
        patches={"worker": "slow_by_address", "api": "own_name_server"},
        control=Control("balancing by calls in flight", breaks="it gets few calls", patches={"api": "calls_in_turn"}),
        not_on={"kubernetes": "a Service has one address: the api can't tell a slow pod from the others"},
        needs=no_name_server,
    ),
    Row(
        "worker_hung",
        "One of two workers takes calls and answers nothing: its calls are sent to the other one, and none is lost.",
        "SIGSTOP to one of two workers for 8 s",
        probes={"api": STEADY},
        bites=("it answers nothing",),
        cluster="not run",
        elsewhere={"compose": {"probes": {"api": NETWORK}, "patches": {}}},
        starts=("api",),
        restarts=None,
        settings={"api": {"REQUEST_TIMEOUT": "6"}},
        patches={"api": "own_name_server"},
        control=Control("the watch on silent workers", breaks="clients", patches={"api": "hung_keep_calls"}),
        not_on={
            "kubernetes": "a Service has one address: calls to a hung pod end with REQUEST_TIMEOUT until it is unready"
        },
        needs=no_name_server,
    ),
    Row(
        "overload",
        "Of ten times what the worker can do, most is refused with Retry-After; what is accepted is answered in time.",
        "200 requests/s of 1,024 tokens at a worker that computes 20 of them (fault switch: 50 ms a pass)",
        probes=BOTH,
        bites=("clients",),
        cluster="nothing is different: the load goes to the only pod",
        clients=("503 overloaded",),
        radius=("heavy",),
        settings={"worker": ONE_A_PASS},
        control=Control(
            "the bounds of the queue, in tokens and in time", breaks="clients", patches={"worker": "endless_queue"}
        ),
    ),
    Row(
        "bulk_flood",
        "Bulk calls beyond what the worker can do go on, and cost no small call; half of those take less than 0.8 s.",
        "100 requests/s of 1,024 tokens in the bulk lane at a worker that computes 20 (fault switch: 50 ms a pass)",
        probes=BOTH,
        bites=("bulk calls are refused",),
        cluster="nothing is different: the load goes to the only pod",
        settings={"worker": ONE_A_PASS},
        control=Control("the bulk lane", breaks="they don't wait for bulk calls", patches={"worker": "one_lane"}),
    ),
    Row(
        "clients_leave",
        "The worker drops the work of clients that leave: no other call is lost, and half take less than 0.8 s.",
        "150 requests/s of 1,024 tokens by clients that leave after 100 ms, at a worker that computes 20 of them",
        probes=BOTH,
        bites=("clients leave",),
        cluster="nothing is different: the load goes to the only pod",
        settings={"worker": ONE_A_PASS},
        control=Control(
            "noticing that clients leave", breaks="they are served as before", patches={"worker": "no_disconnect"}
        ),
    ),
    Row(
        "recovery_stampede",
        "When all comes back at once, with an empty cache, calls for one text are computed as one; soon none fails.",
        "Postgres and Valkey stopped, the worker frozen for 6 s; 95 requests/s for 40 texts, of which it computes 10/s",
        probes={"api": STEADY},
        bites=("clients", "the cache is empty"),
        cluster="the stores are new pods; the worker's processes are stopped in its pod",
        clients=(UNAVAILABLE, "503 overloaded", "504 deadline_exceeded"),
        radius=("popular", "api_fresh", "search"),
        settings={"worker": {"MAX_BATCH_TOKENS": "256"}},
        control=Control("single flight", breaks="nobody is refused again", patches={"api": "no_single_flight"}),
    ),
    Row(
        "slow_clients",
        "Clients that fall silent, before or after a first request, delay no other, and are disconnected in time.",
        "210 connections: silence, half a line, half the headers, half a body; HEADER_TIMEOUT=3, REQUEST_TIMEOUT=4",
        probes={"api": STEADY},
        bites=("half a request waits",),
        cluster="nothing is different: the load goes to the only pod",
        settings={"api": {"HEADER_TIMEOUT": "3", "REQUEST_TIMEOUT": "4"}},
        control=Control(
            "HEADER_TIMEOUT",
            breaks="they are sent away",
            settings={"api": {"HEADER_TIMEOUT": "600"}},
        ),
    ),
    Row(
        "large_bodies",
        "A large body is read, or refused with Retry-After; a client that sends all before it reads gets its answer.",
        "12 clients that send half of 4 MiB, then the rest, and then read; 2 of 20 MiB",
        probes={"api": STEADY},
        bites=("some find no room",),
        cluster="nothing is different: the load goes to the only pod",
        control=Control(
            "reading on after an early answer", breaks="each gets its answer", patches={"api": "no_lingering"}
        ),
    ),
    Row(
        "coupling",
        "An outage of Postgres takes no api replica out of service: what needs no database loses nothing.",
        "Postgres stopped for 6 s, behind a balancer that uses ready replicas only; 3 apis",
        probes={"api": STEADY},
        bites=("clients",),
        cluster="three pods; the balancer is the drill's own, since a Service can't be asked what it does",
        elsewhere={"compose": {"probes": {"api": Probes(HICCUPS, HICCUPS, HICCUPS)}}},
        clients=(UNAVAILABLE,),
        radius=("search",),
        control=Control("decoupled readiness", breaks="embeddings are served", settings={"api": COUPLED}),
    ),
)
