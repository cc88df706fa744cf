"""Too little of what a machine gives: CPU, memory, room in shared memory and on a disk."""

from drills.disk import no_small_disk
from drills.memory import no_memory_limit
from drills.row import STEADY, Control, Probes, Row
from drills.rows.common import BOTH, HICCUPS, IMPATIENT, ONE_LOST, UNAVAILABLE

INSIDE = "it is filled from outside, and a container's is inside"

ROWS = (
    Row(
        "cpu_throttled",
        "With a fifth of the CPU the services are slow, but no probe fails, and no healthy process is killed.",
        "services run for 20 of each 100 ms, out of step, beside calls of half a second; gunicorn's timeout: 2 s",
        probes=BOTH,
        bites=("it is slow",),
        cluster="not run",
        clients=("503 overloaded", UNAVAILABLE, "504 deadline_exceeded"),
        radius=("long_texts", "api_fresh"),
        engine="auto",
        settings={"worker": {**IMPATIENT, "MAX_BATCH_TOKENS": "8192"}, "api": IMPATIENT},
        control=Control("a thread for inference", breaks="worker /livez", patches={"worker": "inference_on_the_loop"}),
        not_on={"kubernetes": "another limit of a pod's CPU is another pod"},
    ),
    Row(
        "out_of_memory",
        "A worker that runs out of memory is killed and replaced once; known texts are served on, new ones refused.",
        "fault switch: 3 GiB more than it needs, where 0.5 are allowed (compose: 2); its replacement starts for 5 s",
        # Taking so much memory keeps the event loop for a second.
        probes={"worker": Probes(HICCUPS, HICCUPS, "200 (none) 503 (none) (503) 200"), "api": STEADY},
        bites=("worker restarts", "clients"),
        cluster="not run",
        restarts={"worker": 1},
        clients=(UNAVAILABLE,),
        radius=("api_fresh",),
        control=Control("the cache", breaks="known texts are served", patches={"api": "no_cache"}),
        not_on={"kubernetes": "the kernel kills the whole container there, which the kubelet starts again"},
        needs=no_memory_limit,
    ),
    Row(
        "shared_memory_full",
        "With no room where metrics are kept, metrics are lost, requests are not, also by processes that begin then.",
        "PROMETHEUS_MULTIPROC_DIR on a full disk of 8 MiB; SIGKILL to one of two processes of each service",
        probes={"worker": ONE_LOST, "api": ONE_LOST},
        bites=("it is full", "metrics are lost", "api restarts", "worker restarts"),
        cluster="not run",
        starts=("worker", "api"),
        restarts={"worker": 1, "api": 1},
        radius=("api_repeated", "api_fresh", "search"),
        in_flight=True,
        settings={"worker": {"WEB_CONCURRENCY": "2"}, "api": {"WEB_CONCURRENCY": "2"}},
        control=Control(
            "reserving the blocks of metrics",
            breaks="it is replaced",
            patches={"api": "sparse_metrics", "worker": "sparse_metrics"},
            bites=("it is full",),  # processes die of it instead
        ),
        not_on={"compose": INSIDE, "kubernetes": INSIDE},
        needs=no_small_disk,
    ),
    Row(
        "postgres_disk_full",
        "A full disk under Postgres costs writes only, typed; reading goes on, and writing as soon as there is room.",
        "another Postgres, on a disk of 160 MiB, which is filled for 3 s",
        probes={"api": STEADY},
        bites=("writes are refused",),
        cluster="not run",
        starts=("api",),
        clients=(UNAVAILABLE,),
        radius=("document",),
        control=Control("knowing a full disk", breaks="clients", patches={"api": "full_disk_is_unknown"}),
        not_on={"compose": INSIDE, "kubernetes": INSIDE},
        needs=no_small_disk,
    ),
)
