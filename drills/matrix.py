"""The claims of all drills, stated only here: docs/drills.md is made from this file, and the drills check it."""

from drills.row import STEADY, Control, Probes, Row
from stack import Part

UNAVAILABLE = "503 dependency_unavailable"
GATED = "503 not_ready"
NO_ANSWER = ("refused", "reset", "closed", "timeout", "unfinished")
NO_PATIENCE = Control("WORKER_PATIENCE", breaks="clients", settings={"api": {"WORKER_PATIENCE": "0"}})
COUPLED = {"READINESS_POLICY": "coupled"}
IMPATIENT = {"GUNICORN_CMD_ARGS": "--timeout 2"}
ONE_A_PASS = {"MAX_BATCH_TOKENS": "1024"}
PATIENT = {"GUNICORN_CMD_ARGS": "--timeout 600"}
GIVES_UP: dict[Part, Probes] = {"worker": Probes("any", "never 200", "never 200")}
# A container that joins or leaves an engine's network can cost others a packet, which TCP sends again after a second.
HICCUPS = "200 (none) (200) (none) (200)"
# The front door asks every 0.5 s: for so long, a draining replica and its successor may answer in turns.
IN_TURN = "200 (none) (200) (503) (200) (503) (200) (503) (200) (none) (200)"
NETWORK = Probes(HICCUPS, HICCUPS, IN_TURN)
# DRAIN_READYZ=200: the old pod is ready until it is gone; then the watch takes a moment to find the new one.
NEW_POD = Probes(*["200 (none) (200)"] * 3)
# A probe can be under way in the process that is killed, as any request can.
ONE_LOST = Probes(*["200 (none) (200) (none) (200) (none) (200)"] * 3)
# torch holds the GIL while it is imported: on a busy machine a probe may have no answer for a second.
SIX_GAPS = " ".join(["200", *["(none) (200)"] * 6])
THREE_STARTS = Probes(SIX_GAPS, SIX_GAPS, " ".join(["200", *["(none) 503 (none) (503) 200"] * 3]))
# The process becomes unready, drains, ends and is replaced, without help.
REPLACED = Probes(HICCUPS, HICCUPS, "200 503 (none) (503) (none) (503) 200")
BOTH: dict[Part, Probes] = {"worker": STEADY, "api": STEADY}

START = (
    Row(
        "slow_warmup",
        "During a warm-up within its budget the process is alive, nobody meets it cold, and nothing restarts.",
        "worker starts, and its warm-up goes on for 3 s after it is alive",
        probes={"worker": Probes("(none) 200", "(none) 503 200", "(none) 503 200")},
        bites=("worker /readyz",),
        cluster="the Service has no endpoint and refuses; the load goes to the pod itself, to meet the gate",
        starts=("worker",),
        clients=(GATED,),
        control=Control("the gate", breaks="nobody meets it cold", patches={"worker": "no_gate"}),
    ),
    Row(
        "warmup_over_budget",
        "A warm-up beyond STARTUP_TIMEOUT ends the service with status 3 and one line that names the cause.",
        "worker starts with a warm-up that never ends, STARTUP_TIMEOUT=1",
        probes=GIVES_UP,
        bites=("worker /readyz",),
        cluster="the kubelet starts the container again (at once, after 10, 20, 40 s …); watched until its first end",
        starts=("worker",),
        restarts=None,
        exit_code=3,
        settings={"worker": {"STARTUP_TIMEOUT": "1"}},
        control=Control("STARTUP_TIMEOUT", breaks="it gives up", settings={"worker": {"STARTUP_TIMEOUT": "3600"}}),
    ),
    Row(
        "model_missing",
        "A missing model ends the service with status 3 at once, not after the start's whole budget.",
        "worker starts with EMBEDDING_MODEL=/no/such/model",
        probes=GIVES_UP,
        bites=("worker /readyz",),
        cluster="the kubelet starts the container again; watched until it has ended once",
        starts=("worker",),
        restarts=None,
        exit_code=3,
        engine="auto",
        settings={"worker": {"EMBEDDING_MODEL": "/no/such/model"}},
        control=Control("giving up what can't heal", breaks="it gives up", patches={"worker": "nothing_is_fatal"}),
    ),
    Row(
        "model_corrupt",
        "A damaged model ends the service with status 3 at once, and is named.",
        "worker starts with a folder whose artifact's manifest is cut off, and whose weights are a line of text",
        probes=GIVES_UP,
        bites=("worker /readyz",),
        cluster="the kubelet starts the container again; watched until it has ended once",
        starts=("worker",),
        restarts=None,
        exit_code=3,
        engine="auto",
        control=Control("giving up what can't heal", breaks="it gives up", patches={"worker": "nothing_is_fatal"}),
    ),
    Row(
        "sigterm_while_warming",
        "SIGTERM during the warm-up ends the service within 2 s, with status 0.",
        "SIGTERM to a worker whose warm-up never ends",
        probes=GIVES_UP,
        bites=("worker /readyz",),
        cluster="the kubelet starts the container again at once; watched until it has left",
        elsewhere={"kubernetes": {"restarts": None}},
        starts=("worker",),
        exit_code=0,
        settings={"worker": {"REQUEST_TIMEOUT": "1"}},  # sets graceful_timeout, for which the control waits
        control=Control("leaving before it is warm", breaks="it leaves", patches={"worker": "no_leaving"}),
    ),
    Row(
        "start_in_any_order",
        "The api, started with every dependency down, waits, says so, and is ready when they are, in any order.",
        "all stopped; api starts, then worker, Postgres and Valkey in random order",
        probes={"api": Probes("(none) 200", "(none) 503 200", "(none) 503 200")},
        bites=("api /readyz",),
        cluster="the Service has no endpoint, the load goes to the pod; a container that was started again has ended",
        starts=("api",),
        clients=(GATED,),
        control=Control("retrying at start", breaks="it waits", patches={"api": "everything_is_fatal"}),
    ),
)

WORKER = (
    Row(
        "worker_killed",
        "When the only worker is killed, no request is lost: new texts wait for its successor, known texts are served.",
        "SIGKILL to the worker's only process, and to two of its successors",
        probes={"worker": THREE_STARTS, "api": STEADY},
        bites=("worker restarts",),
        cluster="gunicorn replaces the process; the api's patience covers a Service without endpoints, too",
        restarts={"worker": 3},
        engine="auto",
        control=NO_PATIENCE,
    ),
    Row(
        "worker_restarted",
        "When the only worker restarts, no request is lost: new texts wait for it, known texts are served.",
        "the worker is stopped and started at once, which can take 3 s on a busy machine; WORKER_PATIENCE=8",
        probes={"worker": Probes("200 none 200", "200 none (503) 200", "200 (503) none (503) 200"), "api": STEADY},
        bites=("worker /readyz",),
        cluster="not run",
        restarts=None,
        engine="auto",
        settings={"api": {"WORKER_PATIENCE": "8"}},
        control=NO_PATIENCE,
        not_on={"kubernetes": "a new pod takes longer than the api's patience; there a restart is a roll-out"},
    ),
    Row(
        "worker_frozen",
        "A frozen worker holds nobody longer than REQUEST_TIMEOUT; its clients' api stays alive and ready.",
        "SIGSTOP to all processes of the worker for 6 s",
        probes={"worker": Probes("200 none 200", "200 none 200", "200 none 200"), "api": STEADY},
        bites=("worker /readyz",),
        cluster="the pod leaves the Service after two failures; the kubelet would restart it after 50 s",
        clients=(UNAVAILABLE, "504 deadline_exceeded"),
        settings={"api": {"REQUEST_TIMEOUT": "2"}},
        control=Control("REQUEST_TIMEOUT", breaks="nobody waits longer", settings={"api": {"REQUEST_TIMEOUT": "60"}}),
    ),
    Row(
        "worker_unreachable",
        "While the worker stays away, new texts wait for WORKER_PATIENCE, then fail at once; known texts are served.",
        "worker cut off the network for 7 s (embedded: stopped, so that connections are refused)",
        probes={"api": STEADY},
        bites=("clients",),
        cluster="the Service has no endpoint and refuses; then there is a new pod",
        elsewhere={
            "kubernetes": {"fault": "worker scaled to 0 for 7 s, since open connections outlive a network policy"}
        },
        clients=(UNAVAILABLE, "504 deadline_exceeded"),
        control=Control("the cache", breaks="known texts are served", settings={"api": {"CACHE_TIMEOUT": "0.000001"}}),
    ),
    Row(
        "inference_stuck",
        "A forward pass that doesn't end takes its replica out of service, and has its process replaced.",
        "fault switch: calls of the worker's inference thread don't return, until its process is replaced",
        probes={"worker": REPLACED, "api": STEADY},
        bites=("worker /readyz",),
        cluster="the pod leaves the Service's endpoints; gunicorn replaces the process, the kubelet nothing",
        restarts={"worker": 1},
        clients=(UNAVAILABLE, "504 deadline_exceeded"),
        settings={"worker": {"REQUEST_TIMEOUT": "2", "HEAL_TIMEOUT": "2"}, "api": {"REQUEST_TIMEOUT": "2"}},
        control=Control("HEAL_TIMEOUT", breaks="it is replaced", settings={"worker": {"HEAL_TIMEOUT": "3600"}}),
    ),
    Row(
        "engine_broken",
        "An engine whose every pass fails takes its replica out of service, and has its process replaced.",
        "fault switch: calls of the worker's inference thread fail, until its process is replaced",
        probes={"worker": REPLACED, "api": STEADY},
        bites=("clients",),
        cluster="the pod leaves the Service's endpoints; gunicorn replaces the process, the kubelet nothing",
        restarts={"worker": 1},
        clients=(UNAVAILABLE,),
        settings={"worker": {"HEAL_TIMEOUT": "2"}},
        control=Control("health from outcomes", breaks="worker /readyz", patches={"worker": "no_outcomes"}),
    ),
)

PROCESSES = (
    Row(
        "event_loop_blocked",
        "A process whose event loop stands still fails /livez and is replaced by gunicorn, without help from outside.",
        "fault switch: the api's loop blocks, until its process is replaced (gunicorn's timeout: 2 s)",
        probes={"api": Probes("200 none 200", "200 none (503) 200", "200 none (503) 200")},
        bites=("api /livez",),
        cluster="the only pod leaves the Service, which refuses; gunicorn is faster than the kubelet (50 s)",
        restarts={"api": 1},
        clients=(*NO_ANSWER, GATED),
        settings={"api": IMPATIENT},
        control=Control("gunicorn's timeout", breaks="it is replaced", settings={"api": PATIENT}),
    ),
    Row(
        "worker_process_killed",
        "One of three worker processes killed: no request through the api is lost.",
        "SIGKILL to each of three worker processes in turn, calls of 50 ms in flight",
        probes={"worker": ONE_LOST, "api": STEADY},
        bites=("worker restarts",),
        cluster="nothing is different: the pod stays",
        restarts={"worker": 3},
        settings={"worker": {"WEB_CONCURRENCY": "3"}},
        control=Control("the api's one retry", breaks="clients", patches={"api": "no_retry"}),
    ),
    Row(
        "api_process_killed",
        "One of three api processes killed: only its requests in flight are lost; nobody meets its replacement cold.",
        "SIGKILL to each of three api processes in turn, requests of 50 ms in flight",
        probes={"api": ONE_LOST},
        bites=("api restarts",),
        cluster="nothing is different: the pod stays",
        restarts={"api": 3},
        in_flight=True,
        settings={"api": {"WEB_CONCURRENCY": "3"}},
        control=Control("binding only when warm", breaks="clients", patches={"api": "cold_replacement"}),
    ),
)

STORES = (
    Row(
        "postgres_stopped",
        "Without Postgres, searches are refused quickly and typed; embeddings don't notice, the api stays ready.",
        "Postgres stopped for 4 s",
        probes={"api": STEADY},
        bites=("clients", "it is lost"),
        cluster="the Service has no endpoint and refuses at once; the new pod gets clients when it has its data back",
        clients=(UNAVAILABLE,),
        control=Control("decoupled readiness", breaks="api /readyz", settings={"api": COUPLED}),
    ),
    Row(
        "postgres_paused",
        "A Postgres that hangs holds no probe and no embedding; searches fail typed, within their limits.",
        "Postgres paused for 5 s: connections stay open, nothing answers",
        probes={"api": STEADY},
        bites=("clients", "it is lost"),
        cluster="its processes are stopped in the pod, which is neither restarted nor moved",
        clients=(UNAVAILABLE, "504 deadline_exceeded"),
        control=Control("decoupled readiness", breaks="api /readyz", settings={"api": COUPLED}),
    ),
    Row(
        "postgres_restarted",
        "When Postgres restarts, no request is lost: searches wait for it, and the pool heals by itself.",
        "Postgres stopped and started at once",
        probes={"api": STEADY},
        bites=("it is lost",),
        cluster="a new pod, which gets clients when it has its data back, for longer than the api's patience",
        elsewhere={"compose": {"clients": (UNAVAILABLE,)}, "kubernetes": {"clients": (UNAVAILABLE,)}},
        control=Control("dropping dead connections", breaks="the pool heals", patches={"api": "dead_stay_pooled"}),
    ),
    Row(
        "redis_stopped",
        "Without Redis no request is lost.",
        "Valkey stopped for 4 s",
        probes=BOTH,
        bites=("it is lost",),
        cluster="the Service has no endpoint and refuses at once",
        control=Control("treating Redis as optional", breaks="clients", patches={"api": "cache_required"}),
    ),
    Row(
        "redis_paused",
        "A Redis that hangs loses no request, and costs each at most its time limit.",
        "Valkey paused for 5 s: connections stay open, nothing answers",
        probes=BOTH,
        bites=("it is lost",),
        cluster="its processes are stopped in the pod, which is neither restarted nor moved",
        control=Control("treating Redis as optional", breaks="clients", patches={"api": "cache_required"}),
    ),
    Row(
        "redis_restarted",
        "A restart of Redis loses no request.",
        "Valkey stopped, and started half a second later",
        probes=BOTH,
        bites=("it is lost",),
        cluster="a new pod",
        control=Control("taking its errors for misses", breaks="clients", patches={"api": "cache_errors_count"}),
    ),
)

TRAFFIC = (
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
        "Workers that join a busy api get their share of its calls within 15 s; when they leave, no request is lost.",
        "the worker is scaled from one replica to three, and back, under load",
        probes=BOTH,
        bites=("replicas join",),
        cluster="kube-proxy shares out the api's connections, at random, to pods that are ready",
        elsewhere={
            "compose": {"probes": {"worker": NETWORK, "api": NETWORK}},
            "kubernetes": {"probes": {"worker": NEW_POD, "api": STEADY}},
        },
        starts=("api",),
        restarts=None,
        settings={"worker": {"DRAIN_SECONDS": "3"}},
        control=Control(
            "CONNECTION_MAX_AGE",
            breaks="each gets its share",
            settings={"worker": {"CONNECTION_MAX_AGE": "3600"}},
        ),
    ),
    Row(
        "overload",
        "Of ten times what the worker can do, most is refused with Retry-After; what is accepted is answered in time.",
        "200 requests/s of 1,024 tokens at a worker that computes 20 of them (fault switch: 50 ms a pass)",
        probes=BOTH,
        bites=("clients",),
        cluster="nothing is different: the load goes to the only pod",
        clients=("503 overloaded",),
        settings={"worker": ONE_A_PASS},
        control=Control(
            "the bounds of the queue, in tokens and in time", breaks="clients", patches={"worker": "endless_queue"}
        ),
    ),
    Row(
        "clients_leave",
        "The worker drops the work of clients that have left, and serves the others as before.",
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
        "slow_clients",
        "Clients that fall silent, before or after a first request, delay no other, and are disconnected in time.",
        "210 connections: silence, half a line, half the headers, half a body; HEADER_TIMEOUT=3",
        probes={"api": STEADY},
        bites=("half a request waits",),
        cluster="nothing is different: the load goes to the only pod",
        settings={"api": {"HEADER_TIMEOUT": "3"}},
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
        control=Control("decoupled readiness", breaks="embeddings are served", settings={"api": COUPLED}),
    ),
)

ROWS = (*START, *WORKER, *PROCESSES, *STORES, *TRAFFIC)
