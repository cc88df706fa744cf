"""What surrounds the services: names, addresses, clocks, certificates."""

from drills.certificates import no_certificates
from drills.names import no_name_server
from drills.row import STEADY, Control, Row
from drills.rows.common import BOTH, UNAVAILABLE

TLS_HERE = "the proxy is a process of this machine"

ROWS = (
    Row(
        "worker_moved",
        "A worker whose name can't be looked up is used on; one that has moved is found when its name says where.",
        "the api's name server is silent for 10 s; meanwhile the worker restarts elsewhere (compose: it only moves)",
        probes={"api": STEADY},
        bites=("look-ups have no answer", "it has moved", "clients"),
        cluster="not run",
        starts=("worker", "api"),
        clients=(UNAVAILABLE, "504 deadline_exceeded"),
        radius=("api_fresh",),
        patches={"api": "own_name_server"},
        control=Control(
            "looking names up again",
            breaks="it is found",
            patches={"api": "names_asked_once"},
            bites=("it has moved",),  # nobody looks up its name
        ),
        elsewhere={
            "compose": {
                "fault": "the worker leaves its network, and comes back at another address",
                "bites": ("it has moved",),
                "starts": (),
                "patches": {},
            }
        },
        not_on={"kubernetes": "the name is a Service's, whose address stays"},
        needs=no_name_server,
    ),
    Row(
        "clock_moved",
        "What time it is matters to nothing: the clock jumps by an hour, connections fail, and no request is lost.",
        "fault switch: time.time() of the services an hour ahead, then behind; each time Postgres ends all connections",
        probes=BOTH,
        bites=("it is moved", "connections are made anew"),
        cluster="nothing is different: the pods stay",
        settings={"api": {"QUOTA": "1000000/hour", "CACHE_TTL": "600"}},
        control=Control("the monotonic clock of the pool", breaks="clients", patches={"api": "ages_by_the_wall_clock"}),
    ),
    Row(
        "certificate_expired",
        "When Postgres' certificate expires, open connections serve on, new ones fail typed; a new certificate heals.",
        "a proxy that speaks TLS presents an expired certificate (sslmode=verify-full), and later all connections end",
        probes={"api": STEADY},
        bites=("it is expired", "clients"),
        cluster="not run",
        starts=("api",),
        clients=(UNAVAILABLE,),
        radius=("search",),
        control=Control(
            "a health sample that keeps its connection",
            breaks="open connections serve on",
            patches={"api": "sample_connects_anew"},
        ),
        not_on={"compose": TLS_HERE, "kubernetes": TLS_HERE},
        needs=no_certificates,
    ),
)
