"""A model replaced while it serves."""

from drills.row import STEADY, Control, Row

ROWS = (
    Row(
        "reindex_killed",
        "A model is replaced, rolled back and replaced again: no request is lost, each search is exact in one space.",
        "the job is killed (SIGKILL) up to ten times at random; then cut-over, roll-back, cut-over, finish, under load",
        probes={"api": STEADY},
        bites=("it is killed at its work", "searches change spaces"),
        cluster="the job's pod is deleted at once",
        starts=("worker",),
        control=Control(
            "embedding for the other model first",
            breaks="no search shrinks",
            settings={"worker": {"EMBEDDING_MODEL": "another-model"}},
            bites=(),  # it has no job
        ),
    ),
    Row(
        "reindex_worker_lost",
        "Losing the next model's worker loses no request: before the cut-over nobody needs it, then they wait for it.",
        "worker-next is stopped for 5 s while documents are embedded, and its process is killed after the cut-over",
        probes={"api": STEADY},
        bites=("it is lost in the midst", "searches change spaces"),
        cluster="its Service has no endpoint and refuses; then there is a new pod",
        starts=("worker",),
        control=Control(
            "storing documents without the next model", breaks="clients", patches={"api": "next_model_required"}
        ),
    ),
)
