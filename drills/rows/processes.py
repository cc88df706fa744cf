"""Single processes lost."""

from drills.row import STEADY, Control, Probes, Row
from drills.rows.common import GATED, IMPATIENT, NO_ANSWER, ONE_LOST, PATIENT, SIX_LOST

ROWS = (
    Row(
        "event_loop_blocked",
        "A process whose event loop stands still fails /livez and is replaced by gunicorn, without help from outside.",
        "fault switch: the api's loop blocks, until its process is replaced (gunicorn's timeout: 2 s)",
        probes={"api": Probes("200 none 200", "200 none (503) 200", "200 none (503) 200")},
        bites=("api /livez",),
        cluster="the only pod leaves the Service, which refuses; gunicorn is faster than the kubelet (50 s)",
        restarts={"api": 1},
        clients=(*NO_ANSWER, GATED),
        radius=("api_repeated",),
        settings={"api": IMPATIENT},
        control=Control("gunicorn's timeout", breaks="it is replaced", settings={"api": PATIENT}),
    ),
    Row(
        "worker_process_killed",
        "One of three worker processes killed: no request through the api is lost.",
        "SIGKILL to each of three worker processes in turn, calls of 50 ms in flight; none meets two of the kills",
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
        radius=("embedding", "fresh_connections"),
        in_flight=True,
        settings={"api": {"WEB_CONCURRENCY": "3"}},
        control=Control("binding only when warm", breaks="clients", patches={"api": "cold_replacement"}),
    ),
    Row(
        "query_of_death",
        "A text whose computation kills the process costs its own request and at most two processes, no other request.",
        "three such texts (fault switch), one after the other, to three worker processes; calls of 50 ms in flight",
        probes={"worker": SIX_LOST, "api": STEADY},
        bites=("worker restarts", "it is deadly"),
        cluster="nothing is different: the pod stays; with several pods it kills in two of them",
        restarts=None,
        settings={"worker": {"WEB_CONCURRENCY": "3"}},
        control=Control(
            "the bound on tries",
            breaks="restarts are bounded",
            settings={"api": {"REQUEST_TIMEOUT": "3"}},
            patches={"api": "endless_tries"},
        ),
    ),
)
