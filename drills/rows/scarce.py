"""Too little of what a machine gives: memory."""

from drills.memory import no_memory_limit
from drills.row import STEADY, Control, Probes, Row
from drills.rows.common import HICCUPS, UNAVAILABLE

ROWS = (
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
        control=Control("the cache", breaks="known texts are served", settings={"api": {"CACHE_TIMEOUT": "0.000001"}}),
        not_on={"kubernetes": "the kernel kills the whole container there, which the kubelet starts again"},
        needs=no_memory_limit,
    ),
)
