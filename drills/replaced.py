"""A model replaced in a drill: what is stored, asked and done meanwhile, and how the answers are judged."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from drills.answers import Look, Served, judge, lacking
from drills.corpus import ALL, GROUP, IDS, QUERY, WRITTEN, calls, filed, search
from drills.database import sql
from drills.drill import Drill
from drills.exact import Exact, Space, embed
from drills.reindexing import Job
from drills.system import MODEL
from loadtest.openloop import Row, Stream
from loadtest.percentiles import percentile
from stack import Part

NEXT: Part = "worker-next"
OTHER = "another-model"  # of the fake engine, which makes other vectors for it
OLD, NEW = "old", "new"  # spaces
RATE = 25.0  # requests/s, of which a search takes some 20 ms of CPU
WEIGHTS = {"nearest": 2.0, "group:{groups}": 1.0, "write": 1.0}
STEP_SECONDS = 300.0
ANSWER = 11.0  # seconds: REQUEST_TIMEOUT, and some on a busy machine
LESS_NEAR = 0.05  # of the nearest documents, which an index that grew otherwise may leave out
VECTORS = "SELECT count(*) FROM embeddings JOIN replacement ON space = new WHERE starts_with(document_id, 'filed-')"


class Replaced:
    """One replacement under load. `begin` comes first, `judge` last."""

    def __init__(self, drill: Drill) -> None:
        self.drill, self.stack = drill, drill.stack
        self.documents = filed(drill.documents)
        api = self.stack.url("api")
        self.spaces = {OLD: Space(partial(embed, api, MODEL)), NEW: Space(partial(embed, api, OTHER))}
        self.served = Served(OLD)
        self.phases = {"before": 0.0}
        self._looks: list[Look] = []

    def begin(self) -> None:
        """Store the documents, and send the load."""
        drill = self.drill
        drill.undo(self._end)
        sql(self.stack, "TRUNCATE documents CASCADE")  # those of other drills would be embedded again, too
        for body in calls(self.documents):
            drill.system.post("/v1/documents", body)
        # Otherwise Postgres reads the whole table for a while, which finds more than the index: 1.0 instead of 0.93 of
        # the nearest of 5,000 documents.
        sql(self.stack, "ANALYZE documents", "ANALYZE embeddings")
        self.spaces[OLD].learn(self.documents.values())
        drill.system.prove_steady()
        drill.watch()
        url, groups = self.stack.url("api"), max(1, drill.documents // GROUP)
        streams = [
            Stream(f"drills.corpus:{maker.format(groups=groups)}", url, weight, name=maker.partition(":")[0])
            for maker, weight in WEIGHTS.items()
        ]
        drill.load(*streams, rate=RATE)

    def _end(self) -> None:
        """The system as it was, however far this has come; documents are stored again when they are missing."""
        self.stack.inject(NEXT, {})
        sql(self.stack, "DELETE FROM replacement", "TRUNCATE documents CASCADE")
        self.stack.stop_next()
        self.drill.system.restore("worker")

    def start_next(self) -> None:
        """Start the workers of the other model."""
        self.stack.start_next(OTHER)
        # For a second after the end of a replacement, an api may still ask them.
        self.stack.restart(NEXT, environment={"DRAIN_SECONDS": "3"})

    def phase(self, name: str) -> None:
        """A part of the drill begins; the report has its latencies."""
        self.phases[name] = time.monotonic()

    def vectors(self) -> int:
        """How many documents have one in the new space that the job has embedded for it: all but the load's."""
        return int(sql(self.stack, VECTORS))

    def step(self, *arguments: str) -> None:
        """Run a step of the job to its end."""
        job = Job(self.stack, *arguments)
        self.drill.until(f"the end of {arguments[0]}", lambda: not job.runs, STEP_SECONDS)
        self.drill.require("the job succeeds", job.code == 0, f"{' '.join(arguments)}: exit code {job.code}")

    def change(self, step: str, space: str) -> None:
        """Let searches use another space."""
        with self.changes(space):
            self.step(step)

    @contextmanager
    def changes(self, space: str) -> Iterator[None]:
        """Searches come to use another space inside the block."""
        begin = time.monotonic()
        yield
        self.served.change(begin, time.monotonic(), space)
        self.drill.measure(**{f"seconds_until_the_{space}_space": time.monotonic() - begin})

    def finish(self) -> None:
        """As `python -m stack reindex finish` does it, with the drill's settings."""
        self.remember(OLD, NEW)
        self.drill.system.start("worker", {"ENGINE": self.drill.row.engine, "EMBEDDING_MODEL": OTHER})
        self.step("finish")
        self.stack.stop_next()

    def remember(self, *spaces: str) -> None:
        """Learn what the load has asked for and written, as long as the models of these spaces are there."""
        kept = [row.kept for row in self.drill.rows() if row.kept]
        texts = [each.get("query") or each["text"] for each in kept]
        for space in spaces:
            self.spaces[space].learn([*texts, QUERY])

    def look(self) -> None:
        """Search for all that the load has written until now."""
        begin = time.monotonic()
        found: dict[str, float] = {}
        for group in range(-(-IDS // GROUP)):
            answer = self.drill.system.post("/v1/search", search(QUERY, ALL, WRITTEN, group))
            found |= {each["id"]: each["score"] for each in answer["results"]}
        self._looks.append(Look(begin, time.monotonic(), self.served.now, found))

    def judge(self, *spaces: str) -> list[str]:
        """Look a last time, and judge all answers; the models of these spaces are there.

        Returns the spaces in the order in which they have answered.
        """
        drill = self.drill
        rows = drill.finish()
        self.look()
        self.remember(*spaces)
        searches = [row for row in rows if row.stream != "write"]
        order = self._judge_searches(searches)
        self._judge_writes([row for row in rows if row.stream == "write"])
        for name, (begin, end) in self._windows().items():
            some = [row for row in searches if begin <= row.scheduled < end]
            drill.measure(**{f"searches_{name}": latency(some)})
        slowest = max((row.latency for row in rows), default=0.0)
        drill.expect("nobody waits longer", slowest <= ANSWER, f"one waited {slowest:.1f} s")
        return order

    def _judge_searches(self, rows: list[Row]) -> list[str]:
        drill, named = self.drill, f"of {len(rows)} searches"
        exact = {name: Exact(space, self.documents) for name, space in self.spaces.items()}
        found = judge(rows, exact, self.served, self.phases)
        drill.measure(searches_compared=found.asked, spaces_in_order=" ".join(found.order))
        drill.expect("no search shrinks", not found.fewer, f"{found.fewer} {named} found fewer documents than before")
        wrong = ", ".join(f"{count} x {why}" for why, count in found.wrong.most_common(3))
        drill.expect("each answer is the exact one of its space", not found.wrong, f"{named} {wrong}")
        nearness = {phase: found.nearness(phase) for phase in found.overlaps}
        drill.measure(nearest_found=", ".join(f"{phase} {share:.4f}" for phase, share in nearness.items()))
        least = min(nearness.values(), default=0.0)
        drill.expect("the nearest are found as before", least >= nearness.get("before", 1) - LESS_NEAR, nearness)
        return found.order

    def _judge_writes(self, rows: list[Row]) -> None:
        for look in self._looks:
            lost = lacking(look, rows, self.spaces[look.space], QUERY)
            detail = f"{dict(lost)} of {len(look.found)} found in the {look.space} space"
            self.drill.expect("what was written is found", not lost, detail)
        self.drill.measure(documents_written=len({row.kept["id"] for row in rows if row.kept}))

    def _windows(self) -> dict[str, tuple[float, float]]:
        begins = list(self.phases.items())
        ends = [begin for _, begin in begins[1:]] + [float("inf")]
        return {name: (begin, end) for (name, begin), end in zip(begins, ends, strict=True)}


def latency(rows: list[Row]) -> str:
    """Percentiles, for the report."""
    took = [row.latency * 1000 for row in rows if row.ok]
    shares = ", ".join(f"p{share} {percentile(took, share):.0f} ms" for share in (50, 99)) if took else "none"
    return f"{len(took)}: {shares}"
