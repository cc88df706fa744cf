"""The job that replaces a model, killed anywhere, beside writers, and while its worker or Postgres is away."""

import asyncio
import struct
from itertools import pairwise
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from api.reindex.embedding import PROBE, TRIES
from api.store.documents import remove
from api.store.replacement import ReplacementError
from contract.answer import Description
from services.api.tests.helpers.replacing import NEW, OLD, World, called, new_vector
from services.api.tests.helpers.standin import Misbehaviour, cut, hold, refuse
from warmstart.http.timing import Timings

pytestmark = pytest.mark.anyio

WAITING = text("SELECT count(*) FROM pg_locks WHERE NOT granted")


async def until_one_waits(connection: AsyncConnection) -> None:
    """Wait until somebody waits for a lock."""
    async with asyncio.timeout(20):
        while not await connection.scalar(WAITING):
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("page", [1, 3, 5])
async def test_killed_while_it_embeds_it_goes_on_from_there(world: World, page: int) -> None:
    """SIGKILL at a page; the next run embeds what the killed one hasn't written, and nothing twice."""
    await world.many(1100)
    reached, never = asyncio.Event(), asyncio.Event()

    async def stop(_: web.Request, items: list[Any]) -> None:
        if sum(len(call) > 1 for call in world.new.calls) >= page and len(items) > 1:
            reached.set()
            await never.wait()

    world.new.before = stop
    job = await world.command("prepare")
    await asyncio.wait_for(reached.wait(), 20)
    left = await world.wrong(NEW)
    job.kill()
    await job.wait()
    world.new.before = None
    world.new.calls.clear()
    assert "1,100 of 1,100 documents have a vector" in await world.step("prepare", "--samples", "0")
    assert await world.wrong(NEW) == 0
    again = sum(len(call) for call in world.new.calls if len(call) > 1)
    assert left - 256 <= again <= left  # a page may have been written between the count and the kill


@pytest.mark.parametrize("step", ["prepare", "cut-over"])
async def test_killed_while_it_waits_for_a_writer_nothing_is_half_done(world: World, step: str) -> None:
    """SIGKILL while its vectors, or the change of the space, wait for a lock: the next run does it."""
    await world.many(300)
    if step == "cut-over":
        await world.step("prepare")
    async with world.engine.connect() as writer, world.engine.connect() as watching:
        if step == "prepare":
            await writer.execute(text("SELECT FROM documents FOR UPDATE"))
        else:
            await writer.execute(text("LOCK TABLE documents IN ROW EXCLUSIVE MODE"))
        job = await world.command(step)
        await until_one_waits(watching)
        job.kill()
        await job.wait()
        assert await world.served() == OLD
    await world.step("prepare", "--cut-over")
    assert (await world.wrong(NEW), await world.served()) == (0, NEW)


@pytest.mark.parametrize("spaces", [(OLD, NEW), (OLD,)])
async def test_a_document_that_changes_while_it_is_embedded_keeps_its_writers_text(
    world: World, spaces: tuple[str, ...]
) -> None:
    """The vector of the text before is not written; if the writer knew the old space only, the text is embedded."""
    await world.many(3)
    released = asyncio.Event()
    world.new.before = hold(released)
    job = asyncio.create_task(world.step("prepare", "--cut-over"))
    await called(world.new)
    await world.store("d000002", "another text", *spaces)
    released.set()
    await job
    assert (await world.wrong(NEW), await world.served()) == (0, NEW)


async def test_a_document_that_changes_while_it_is_written_keeps_its_writers_text(world: World) -> None:
    """The writer has not committed when the vectors come: they wait for it, and look at the text again."""
    await world.many(3)
    async with world.engine.connect() as writer, world.engine.connect() as watching:
        await writer.execute(text("SET LOCAL warmstart.spaces = '1'"))
        await writer.execute(text("UPDATE documents SET text = 'another text' WHERE id = 'd000002'"))
        job = asyncio.create_task(world.step("prepare", "--cut-over"))
        await until_one_waits(watching)
        await writer.commit()
        await job
    assert (await world.wrong(NEW), await world.served()) == (0, NEW)


async def test_writers_and_a_second_job_do_no_harm(world: World) -> None:
    """Documents are stored, stored again and deleted all the time, by writers that know one space and both."""
    await world.many(600)
    done = asyncio.Event()

    async def write(first: int, *spaces: str) -> None:
        number = 0
        while not done.is_set():
            number += 1
            name = f"d{(first + 7 * number) % 700:06}"
            await world.store(name, "y" * (1 + number % 40), *spaces)
            if not number % 5:
                await remove(world.engine, name)

    async with asyncio.TaskGroup() as group:
        for first, spaces in ((0, (OLD, NEW)), (3, (OLD, NEW)), (5, (OLD,))):
            group.create_task(write(first, *spaces))
        said = await asyncio.gather(*(world.step("prepare", "--samples", "0") for _ in range(2)))
        done.set()
    assert all("documents have a vector" in each for each in said)
    await world.step("cut-over")
    assert (await world.wrong(NEW), await world.served()) == (0, NEW)


async def test_it_waits_for_a_worker_that_is_lost(world: World) -> None:
    """It says so once, and once that it is there; no document is skipped."""
    await world.many(600)

    async def lose(request: web.Request, _: list[Any]) -> None:
        if sum(len(call) > 1 for call in world.new.calls) > 1:
            world.new.starting = True
            assert request.transport
            request.transport.abort()

    world.new.before = lose
    job = asyncio.create_task(world.step("prepare"))
    await world.until_said("; waiting")
    world.new.before, world.new.starting = None, False
    said = await job
    assert said.count("; waiting") == said.count("it is there") == 1
    assert "the model model-b is unavailable: the worker at" in said
    assert "600 of 600 documents have a vector" in said
    assert await world.wrong(NEW) == 0


async def test_it_waits_for_a_worker_that_has_turned_to_another_model(world: World) -> None:
    """Vectors of another space are never written."""
    await world.many(3)

    async def turn(_: web.Request, items: list[Any]) -> None:
        if len(items) == 3:
            world.new.space, world.new.name = "space-c", "model-c"

    world.new.before = turn
    job = asyncio.create_task(world.step("prepare"))
    await world.until_said("serves model-c; waiting")
    assert await world.wrong(NEW) == 3
    world.new.before, world.new.space, world.new.name = None, NEW, "model-b"
    await job
    assert await world.wrong(NEW) == 0


async def test_it_waits_for_a_postgres_that_is_lost(world: World, address: str) -> None:
    """All its connections are cut while the worker embeds, and none is let in."""
    await world.many(300)
    released = asyncio.Event()
    world.new.before = hold(released)
    job = asyncio.create_task(world.step("prepare"))
    await called(world.new)
    await world.engine.dispose()
    name = address.rsplit("/", 1)[1]
    admin = create_async_engine(address.replace(name, "postgres"), isolation_level="AUTOCOMMIT")
    async with admin.connect() as connection:
        await connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false"))
        end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"
        await connection.execute(text(end), {"name": name})
        released.set()
        await world.until_said("postgres is unavailable")
        await connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true"))
    await admin.dispose()
    said = await job
    assert said.count("; waiting") == said.count("it is there") == 1
    assert "300 of 300 documents have a vector" in said
    assert await world.wrong(NEW) == 0


async def abort(request: web.Request, _: list[Any]) -> None:
    """End the connection, as a process that a text ends does."""
    assert request.transport
    request.transport.abort()


@pytest.mark.parametrize(
    ("does", "why", "alone"),
    [
        (refuse(400, message="no"), "the worker fails at it: no", 2),
        (refuse(413, message="too large"), "the worker fails at it: too large", 2),
        (abort, "the worker fails at it: ", 2 * (1 + TRIES)),  # the client of the worker makes each call twice
        (None, "its vector has numbers that are none", 1),
    ],
)
async def test_a_document_that_fails_alone_is_skipped(
    world: World, does: Misbehaviour | None, why: str, alone: int
) -> None:
    """All others have vectors; it is named without its text, and searches change only when it may be lacking.

    A run that goes on to the cut-over doesn't try it again.
    """
    await world.many(600)
    await world.store("d000300", "a secret", OLD)

    async def fail(request: web.Request, items: list[Any]) -> web.StreamResponse | None:
        return await does(request, items) if does and "a secret" in items else None

    world.new.before = fail
    if not does:
        world.new.vector = lambda item: [float("nan")] * 4 if item == "a secret" else new_vector(item)
    said = await world.step("prepare", "--samples", "0")
    assert "599 of 600 documents have a vector" in said
    assert f"skipped d000300: {why}" in said
    assert "a secret" not in said
    assert "; waiting" not in said
    assert await world.wrong(NEW) == 1
    world.new.calls.clear()
    with pytest.raises(ReplacementError, match=r"1 documents have no vector in the space of model-b.*--lacking 1"):
        await world.step("prepare", "--samples", "0", "--cut-over")
    assert sum(call == ["a secret"] for call in world.new.calls) == alone
    assert await world.served() == OLD
    assert "1 documents have no vector there" in await world.step("cut-over", "--lacking", "1")
    assert await world.served() == NEW
    world.new.before, world.new.vector = None, new_vector
    await world.step("cut-over")
    assert await world.wrong(NEW) == 0


async def fail_at_a_secret(request: web.Request, items: list[Any]) -> web.StreamResponse | None:
    """Refuse a call with this text."""
    return await refuse(400, message="no")(request, items) if "a secret" in items else None


@pytest.mark.parametrize("gone", [False, True])
async def test_a_skip_that_is_over_does_not_count(world: World, gone: bool) -> None:
    """The document is stored with another text, or deleted, while the run compares; another one lacks a vector then.

    The run embeds that, names the first one no more, and goes on to the cut-over.
    """
    await world.many(20)
    await world.store("d000005", "a secret", OLD)

    async def change(*_: object) -> None:
        world.old.before = None
        await (remove(world.engine, "d000005") if gone else world.store("d000005", "harmless", OLD, NEW))
        await world.store("late", "by an earlier version", OLD)

    world.new.before, world.old.before = fail_at_a_secret, change
    said = await world.step("prepare", "--cut-over")
    assert said.count("skipped d000005") == 1
    assert (await world.wrong(NEW), await world.served()) == (0, NEW)


async def test_a_skip_that_ends_while_the_cut_over_waits_does_not_count(world: World) -> None:
    """Once the writer has committed, as many documents lack a vector as were skipped, and it is another one."""
    await world.many(20)
    await world.store("d000005", "a secret", OLD)
    async with world.engine.connect() as writer, world.engine.connect() as watching:

        async def change(*_: object) -> None:
            world.old.before = None
            await writer.execute(text("SET LOCAL warmstart.spaces = '1'"))
            await writer.execute(text("DELETE FROM documents WHERE id = 'd000005'"))
            late = "INSERT INTO documents SELECT 'late', 't', '{}', 'm', array_fill(0, '{384}'), now()"
            await writer.execute(text(late))

        world.new.before, world.old.before = fail_at_a_secret, change
        job = asyncio.create_task(world.step("prepare", "--cut-over"))
        await until_one_waits(watching)
        await writer.commit()
        await job
    assert (await world.wrong(NEW), await world.served()) == (0, NEW)


async def test_a_document_that_was_there_when_the_worker_ended_twice_is_not_skipped(world: World) -> None:
    """It takes three times, and the client of the worker makes each call twice."""
    await world.many(1)
    aborts = cut(4)

    async def twice(request: web.Request, items: list[Any]) -> None:
        if items == ["xx"]:
            await aborts(request, items)

    world.new.before = twice
    said = await world.step("prepare")
    assert sum(call == ["xx"] for call in world.new.calls) == 5
    assert "1 of 1 documents have a vector" in said
    assert "skipped" not in said


async def test_a_slow_worker_gets_smaller_calls(world: World) -> None:
    """What it refuses as too large is divided, and from then on calls are smaller; nothing is skipped."""
    await world.many(100)
    async with world.engine.begin() as connection:
        await connection.execute(text("UPDATE documents SET text = repeat(text, 1000)"))  # each is cut at 256 tokens
    too_large = refuse(413, code="too_many_tokens")

    async def refuse_many(request: web.Request, items: list[Any]) -> web.StreamResponse | None:
        return await too_large(request, items) if len(items) > 8 else None

    world.new.before = refuse_many
    world.new.max_text_characters = 100_000
    said = await world.step("prepare", "--samples", "0")
    assert "100 of 100 documents have a vector" in said
    assert await world.wrong(NEW) == 0
    sizes = [len(call) for call in world.new.calls]
    assert sizes[:2] == [1, 32]  # the first one looks whether it embeds
    assert max(sizes[-6:]) == 8


async def test_a_worker_of_another_model_behind_the_address_is_no_fault_of_a_text(world: World) -> None:
    """However often it answers for a text alone, the text is sent again, and nothing is skipped."""
    await world.many(1)
    third = Description("model-c", "fp-c", "space-c", 4, [1], Timings())
    answers = iter(range(2 * TRIES))

    async def another(_: web.Request, items: list[Any]) -> web.StreamResponse | None:
        if items == [PROBE[0].text] or next(answers, None) is None:
            return None
        return web.Response(body=struct.pack("<4f", 1, 0, 0, 0), headers=third.headers())

    world.new.before = another
    assert "skipped" not in await world.step("prepare", "--samples", "0")
    assert await world.wrong(NEW) == 0


async def test_a_text_that_is_too_long_for_the_worker_is_not_sent(world: World) -> None:
    """The old model's workers may have taken longer ones."""
    await world.many(3)
    await world.store("long", "x" * 101, OLD)
    world.new.max_text_characters = 100
    assert "skipped long: it has 101 characters; the worker's limit is 100" in await world.step("prepare")
    assert max(len(each) for call in world.new.calls for each in call) <= 100
    assert await world.wrong(NEW) == 1


@pytest.mark.parametrize("answer", [refuse(503, code="overloaded", retry_after=1), refuse(429, retry_after=1)])
async def test_an_overloaded_worker_is_asked_again_when_it_says(world: World, answer: Misbehaviour) -> None:
    """It is no outage, and nothing is skipped; the call is made again whole."""
    await world.many(3)
    refused: list[float] = []

    async def once(request: web.Request, items: list[Any]) -> web.StreamResponse | None:
        now = asyncio.get_running_loop().time()
        refused.append(now)
        return await answer(request, items) if len(refused) < 3 else None

    world.new.before = once
    said = await world.step("prepare", "--samples", "0")
    assert "waiting" not in said
    assert "3 of 3 documents have a vector" in said
    assert all(later - earlier > 0.9 for earlier, later in pairwise(refused[:3]))
