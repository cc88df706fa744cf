"""What surrounds the services: names, addresses, clocks, certificates."""

from drills.names import no_name_server
from drills.row import STEADY, Control, Row
from drills.rows.common import UNAVAILABLE

ROWS = (
    Row(
        "worker_moved",
        "A worker whose name can't be looked up is used on; one that has moved is found when its name says where.",
        "the api's name server falls silent for 10 s; meanwhile the worker restarts at another address",
        probes={"api": STEADY},
        bites=("look-ups have no answer", "it has moved", "clients"),
        cluster="not run",
        starts=("worker", "api"),
        clients=(UNAVAILABLE, "504 deadline_exceeded"),
        radius=("api_fresh",),
        patches={"api": "own_name_server"},
        control=Control("looking names up again", breaks="it is found", patches={"api": "names_asked_once"}),
        not_on={
            "compose": "the name server is the engine's own, for all that it runs",
            "kubernetes": "the name is a Service's, whose address stays",
        },
        needs=no_name_server,
    ),
)
