"""What several rows say: answers of clients and probes, and settings."""

from drills.row import STEADY, Control, Probes
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
TWO_PODS = Probes(*["200 (none) (200) (none) (200)"] * 3)  # the pod that it finds may be the next one to go
# A probe can be under way in the process that is killed, as any request can.
ONE_LOST = Probes(*["200 (none) (200) (none) (200) (none) (200)"] * 3)
# torch holds the GIL while it is imported: on a busy machine a probe may have no answer for a second.
SIX_GAPS = " ".join(["200", *["(none) (200)"] * 6])
SIX_LOST = Probes(SIX_GAPS, SIX_GAPS, SIX_GAPS)
THREE_STARTS = Probes(SIX_GAPS, SIX_GAPS, " ".join(["200", *["(none) 503 (none) (503) 200"] * 3]))
# The process becomes unready, drains, ends and is replaced, without help.
REPLACED = Probes(HICCUPS, HICCUPS, "200 503 (none) (503) (none) (503) 200")
BOTH: dict[Part, Probes] = {"worker": STEADY, "api": STEADY}
