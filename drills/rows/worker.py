"""The worker lost."""

from drills.row import STEADY, Control, Probes, Row
from drills.rows.common import NO_PATIENCE, REPLACED, THREE_STARTS, UNAVAILABLE

ROWS = (
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
