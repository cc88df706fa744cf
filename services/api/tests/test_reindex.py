"""The job that replaces a model while it serves: its steps, what they say, and what they refuse."""

import asyncio
import signal
from pathlib import Path

import pytest

from api.store import replacement
from api.store.replacement import ReplacementError
from services.api.tests.helpers.replacing import NEW, OLD, World, called
from services.api.tests.helpers.standin import hold
from warmstart.errors import DependencyUnavailable

pytestmark = pytest.mark.anyio


async def test_a_model_is_replaced_rolled_back_and_replaced_again(world: World) -> None:
    """Each step says what it did, both spaces are whole at each change, and the old one goes at the end only."""
    await world.many(600)
    said = await world.step("prepare")
    assert "model-b replaces model-a; searches use model-a" in said
    assert "600 of 600 documents have a vector" in said
    assert (await world.wrong(NEW), await world.served()) == (0, OLD)
    noted = await replacement.read(world.engine)
    assert noted
    assert (noted.done, noted.total) == (600, 600)
    assert await world.step("cut-over") == ("model-b: 600 of 600 documents have a vector\nSearches use model-b\n")
    await world.store("late", "stored in the new space alone", NEW)
    assert "Searches use model-a" in await world.step("roll-back")
    assert (await world.wrong(OLD), await world.served()) == (0, OLD)
    assert "Searches use model-b" in await world.step("cut-over")
    world.old.space, world.old.name = NEW, "model-b"  # the workers are replaced
    assert "the vectors of model-a are gone" in await world.step("finish")
    assert await replacement.read(world.engine) is None
    assert (await world.wrong(NEW), await world.wrong(OLD)) == (0, 601)
    assert await world.step("status") == "No model is being replaced\n"


async def test_only_documents_without_a_vector_are_embedded_on_the_bulk_lane(world: World) -> None:
    """What writers have stored in both spaces stays theirs."""
    await world.many(3)
    await world.step("prepare")
    before = len(world.new.calls)
    await world.store("theirs", "in both", OLD, NEW)
    await world.store("ours", "in one only", OLD)
    await world.step("prepare", "--cut-over")
    asked = [each for call in world.new.calls[before:] for each in call]
    assert "in one only" in asked
    assert "in both" not in asked
    assert set(world.new.lanes) == {"bulk"}
    assert (await world.wrong(NEW), await world.served()) == (0, NEW)


async def test_an_abandoned_replacement_leaves_nothing(world: World) -> None:
    """The new space is dropped, and another replacement can begin."""
    await world.many(3)
    await world.step()
    assert "model-a is served; the vectors of model-b are gone" in await world.step("abandon")
    assert await world.wrong(NEW) == 3
    await world.step("prepare")
    assert await world.wrong(NEW) == 0


async def test_rolling_back_at_once_embeds_nothing(world: World) -> None:
    """It says how many documents are not found. It is refused while no worker serves the space."""
    await world.many(5)
    await world.step("prepare", "--cut-over")
    world.old.starting = True
    with pytest.raises(DependencyUnavailable, match="the model model-a is unavailable"):
        await world.step("roll-back", "--at-once", startup_timeout=0.1)
    world.old.starting = False
    assert "Searches use model-a; 5 documents have no vector there" in await world.step("roll-back", "--at-once")
    assert await world.served() == OLD


async def test_the_workers_are_known_by_their_space(world: World) -> None:
    """After the workers at WORKER_URL were replaced, and the others stopped, the job goes on with those."""
    await world.many(5)
    await world.step("prepare")
    await world.store("more", "a text", OLD)
    world.old.space, world.old.name, world.old.vector = NEW, "model-b", world.new.vector
    world.new.starting = True
    await world.step("cut-over")
    assert (await world.wrong(NEW), await world.served()) == (0, NEW)


async def test_what_does_not_fit_is_refused(world: World) -> None:
    """One line says what comes first."""
    for step in ("cut-over", "roll-back", "finish", "abandon"):
        with pytest.raises(ReplacementError, match="no model is being replaced"):
            await world.step(step)
    world.new.space = OLD
    with pytest.raises(ReplacementError, match="model-a and model-b have one space"):
        await world.step("prepare")
    world.new.space = NEW
    await world.step("prepare")
    with pytest.raises(ReplacementError, match="searches use model-a: cut-over comes first"):
        await world.step("finish")
    await world.step("cut-over")
    with pytest.raises(ReplacementError, match="searches use model-b: roll-back comes first"):
        await world.step("abandon")
    with pytest.raises(ReplacementError, match="serves model-a: replace it by one of model-b first"):
        await world.step("finish")
    world.new.starting = True
    with pytest.raises(DependencyUnavailable, match=r"model-b is unavailable: .* serves model-a; .* is warming"):
        await world.step("prepare", startup_timeout=0.2)
    world.new.starting, world.new.space, world.new.name = False, "space-c", "model-c"
    with pytest.raises(DependencyUnavailable, match=r"model-b is unavailable: .* serves model-a; .* serves model-c"):
        await world.step("prepare", startup_timeout=0.2)


async def test_writers_that_know_one_space_alone_end_the_cut_over(world: World) -> None:
    """It would never end beside an api of an earlier version that stores all the time."""
    stored = 0

    async def store(*_: object) -> None:
        nonlocal stored
        stored += 1
        await world.store(f"new{stored}", "by an earlier version", OLD)

    await world.step("prepare")
    await world.store("first", "a text", OLD)
    world.new.before = store
    with pytest.raises(ReplacementError, match="stored faster than they are embedded"):
        await world.step("cut-over")
    assert await world.served() == OLD


async def test_a_replacement_that_ends_meanwhile_ends_the_job(world: World) -> None:
    """A page that is under way then is written nowhere."""
    await world.many(3)
    released = asyncio.Event()
    world.new.before = hold(released)
    job = asyncio.create_task(world.step("prepare"))
    await called(world.new)
    await replacement.end(world.engine, OLD)
    released.set()
    with pytest.raises(ReplacementError, match="no replacement with the space space-b is under way"):
        await job


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_at_once(world: World, number: signal.Signals) -> None:
    """Also while it waits for a worker that doesn't answer; it says how to go on, and shows no traceback."""
    await world.many(3)
    world.new.before = hold(asyncio.Event())
    job = await world.command()
    await called(world.new)
    job.send_signal(number)
    out, errors = await asyncio.wait_for(job.communicate(), 20)
    assert (job.returncode, errors) == (1, b"")
    assert out.decode().endswith(f"Stopped by {number.name}: the same command goes on from there\n")
    world.new.before = None
    assert "3 of 3 documents have a vector" in await world.step("prepare")


async def test_the_command_says_in_one_line_why_it_failed(world: World, tmp_path: Path) -> None:
    """Exit status 4 for a step that doesn't fit, 1 for others, and nothing on stderr; one that is done is status 0."""
    for arguments, why, code in (
        (("finish",), "finish failed: no model is being replaced\n", 4),
        (("--queries", f"{tmp_path}/none"), "prepare failed: [Errno 2] No such file or directory: ", 1),
    ):
        job = await world.command(*arguments)
        out, errors = await job.communicate()
        assert (job.returncode, errors) == (code, b"")
        assert out.decode().startswith(why)
        assert out.count(b"\n") == 1
    job = await world.command("status")
    assert (await job.communicate(), job.returncode) == ((b"No model is being replaced\n", b""), 0)


async def test_the_status_names_both_models_and_what_comes_next(world: World) -> None:
    """It counts for itself, and says which workers are missing."""
    await world.many(4)
    await world.step("prepare")
    await world.store("more", "text", OLD)
    world.new.starting = True
    said = await world.step("status")
    assert "model-b replaces model-a, since 20" in said
    assert "model-a: 1 of 5 documents have a vector; searches use it" in said
    assert "model-b: 4 of 5 documents have a vector; searches don't use it\n    no worker: " in said
    assert "next: prepare, until all" in said


async def test_models_of_one_name_are_told_apart_by_their_spaces(world: World) -> None:
    """Such as the engines of one model with bf16 and int8."""
    world.new.name, world.new.space, world.old.space = "model-a", "2" * 64, "1" * 64
    await world.many(2)
    assert "model-a (22222222) replaces model-a (11111111); searches use model-a (11111111)" in await world.step()
    assert "Searches use model-a (22222222)" in await world.step("cut-over")
