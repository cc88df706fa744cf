"""A model is replaced while it serves."""

import random
import time
from signal import Signals

from drills.drill import Drill
from drills.reindexing import Job
from drills.replaced import NEW, NEXT, OLD, OTHER, Replaced
from stack.http import FAILURES, ask
from stack.worker_secret import worker_headers

KILLS = 10
LONGEST = 3.0  # seconds that a job may work before it is killed, beside those of its start
SLOW = 0.05  # seconds of a forward pass: two pages of the job, which go on together, take about forty
BEGUN = 60.0  # seconds
AWAY = 5.0  # seconds: longer than the api's patience
BACK = 30.0  # seconds
SETTLED = 2.0  # seconds: the api's health sample, which runs every second, has been taken
NAIVE = 3.0  # seconds


def test_reindex_killed(drill: Drill) -> None:
    replaced = Replaced(drill)
    replaced.begin()
    drill.go(0.15)
    if drill.controlled:
        naively(drill, replaced)
    else:
        replaced.start_next()
        replaced.phase("while_it_fills")
        kill(drill, replaced)
        replaced.step("prepare")
        replaced.phase("while_it_changes")
        for step, space in (("cut-over", NEW), ("roll-back", OLD), ("cut-over", NEW)):
            replaced.change(step, space)
            drill.hold(SETTLED)
            replaced.look()
        replaced.finish()
        replaced.phase("after")
    drill.go(1)
    drill.prove("searches change spaces", replaced.judge(NEW) == [OLD, NEW, OLD, NEW])


def kill(drill: Drill, replaced: Replaced) -> None:
    """Begin the job and kill it, again and again, each time a random while after its begin."""
    killed, counts = 0, []
    began = time.monotonic()
    replaced.step("status")
    longest = time.monotonic() - began + LONGEST
    moments = [longest * (number + random.random()) / KILLS for number in range(KILLS)]
    random.shuffle(moments)
    with drill.switched(NEXT, slow_calls={"inference": SLOW}):
        for moment in moments:
            job = Job(drill.stack, "prepare")
            drill.hold(moment)
            killed += job.kill()
            counts.append(replaced.vectors())
    in_the_midst = any(0 < count < drill.documents for count in counts)
    # By luck it has embedded all documents before the last kills, and the jobs after that have nothing left to do.
    drill.prove("it is killed at its work", killed >= KILLS / 2 and in_the_midst)
    drill.measure(kills=killed, vectors_at_the_kills=", ".join(map(str, counts)))


def naively(drill: Drill, replaced: Replaced) -> None:
    """Give the worker the other model, and nothing else."""
    replaced.remember(OLD)
    with drill.fault(), replaced.changes(NEW):
        drill.start("worker")
        drill.until("it serves the other model", lambda: serves(drill, OTHER), BACK)
        drill.hold(SETTLED)
    drill.hold(NAIVE)


def serves(drill: Drill, model: str) -> bool:
    """Whether the worker answers, with this model."""
    try:
        return str(ask(f"{drill.stack.url('worker')}/model", timeout=2, more=worker_headers()).json()["model"]) == model
    except (*FAILURES, ValueError, KeyError):
        return False


def test_reindex_worker_lost(drill: Drill) -> None:
    stack, replaced = drill.stack, Replaced(drill)
    replaced.begin()
    drill.go(0.15)
    replaced.start_next()
    replaced.phase("while_it_fills")
    with drill.switched(NEXT, slow_calls={"inference": 2 * SLOW}):
        job = Job(stack, "prepare")
        drill.until("some documents are embedded", lambda: replaced.vectors() > 0, BEGUN)
        with drill.fault():
            stack.stop(NEXT)
            before = replaced.vectors()
            drill.hold(AWAY)
            drill.prove("it is lost in the midst", job.runs and before < drill.documents)
            stack.start(NEXT)
    drill.until("the job goes on by itself", lambda: not job.runs, BEGUN)
    drill.require("the job succeeds", job.code == 0, f"exit code {job.code}")
    replaced.change("cut-over", NEW)
    replaced.phase("after")
    drill.hold(SETTLED)
    with drill.fault():
        stack.signal_process(NEXT, Signals.SIGKILL)
        drill.hold(AWAY)
    drill.go(1)
    drill.prove("searches change spaces", replaced.judge(OLD, NEW) == [OLD, NEW])
