"""A secret's file is read again while the service runs."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from stack.waiting import until_async
from warmstart.settings import watched
from warmstart.settings.watched import Watched, WatchedFile

Seen = list[str]


def is_last(said: Seen, words: str) -> bool:
    """Whether the last entry has these words."""
    return bool(said) and words in said[-1]


def complained(log: pytest.LogCaptureFixture, words: str) -> bool:
    """Whether the last line has these words."""
    return is_last(log.messages, words)


def complains_of(file: WatchedFile[str], words: str) -> bool:
    """Whether this is what is wrong with the file."""
    return file.complaint == words


@pytest.fixture
def anyio_backend() -> str:
    """Asyncio alone."""
    return "asyncio"


@pytest.fixture
async def begin(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[[Path], Seen]]:
    """`begin(path)` watches the file until the test ends, and returns what was used; `bad` is refused."""
    tasks = []
    monkeypatch.setattr(watched, "PERIOD", 0.01)

    def start(path: Path) -> Seen:
        used: Seen = []

        def use(text: str) -> None:
            if text == "bad":
                raise ValueError("SECRET_FILE: it is bad")
            used.append(text)

        monkeypatch.setenv("SECRET_FILE", str(path))
        tasks.append(asyncio.create_task(Watched("secret", use).watch()))
        return used

    yield start
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.mark.anyio
async def test_a_mount_that_kubernetes_swaps(begin: Callable[[Path], Seen], tmp_path: Path) -> None:
    """The kubelet renames a link onto `..data`; the new content counts, and so does one that was there before."""
    for version, text in (("1", "first"), ("2", "\ufeffsecond\r\n")):
        (tmp_path / version).mkdir()
        (tmp_path / version / "secret").write_text(text)
    (tmp_path / "..data").symlink_to("1")
    (tmp_path / "secret").symlink_to("..data/secret")
    used = begin(tmp_path / "secret")
    await until_async(lambda: used == ["first"], 20, "the first look")
    for version in ("2", "1"):
        (tmp_path / "..tmp").symlink_to(version)
        (tmp_path / "..tmp").rename(tmp_path / "..data")
        wanted = "second" if version == "2" else "first"
        await until_async(partial(is_last, used, wanted), 20, "the swapped content")
    assert used == ["first", "second", "first"]


@pytest.mark.anyio
async def test_what_is_revoked_counts_beside_calls_that_hang(begin: Callable[[Path], Seen], tmp_path: Path) -> None:
    """An application that fills asyncio's own pool with calls that don't return keeps no file from being read."""
    (tmp_path / "secret").write_text("first")
    used, may_end = begin(tmp_path / "secret"), threading.Event()
    calls = [asyncio.create_task(asyncio.to_thread(may_end.wait, 60)) for _ in range(64)]
    try:
        await until_async(lambda: used == ["first"], 20, "the first look")
        (tmp_path / "secret").write_text("")
        await until_async(lambda: used == ["first", ""], 20, "the empty file")
    finally:
        may_end.set()
        await asyncio.gather(*calls)


@pytest.mark.anyio
async def test_what_cannot_be_used_changes_nothing(
    begin: Callable[[Path], Seen], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One line for each fault; the last good content counts. An emptied file is used: it revokes everything."""
    path = tmp_path / "secret"
    path.write_text("good")
    used = begin(path)
    await until_async(lambda: used == ["good"], 20, "the first look")
    faults: dict[str, Callable[[], object]] = {
        "SECRET_FILE: it is bad": lambda: path.write_text("bad"),
        "SECRET_FILE: not text": lambda: path.write_bytes(b"\xff\xfe\x00"),
        "SECRET_FILE: more than": lambda: path.write_text("x" * (2**20 + 1)),
        "SECRET_FILE: No such file": path.unlink,
        "SECRET_FILE: Is a directory": path.mkdir,
    }
    with caplog.at_level(logging.ERROR):
        for words, cause in faults.items():
            cause()
            await until_async(partial(complained, caplog, words), 20, words)
    assert used == ["good"]
    assert len(caplog.messages) == len(faults)
    path.rmdir()
    path.write_text("")
    await until_async(lambda: used == ["good", ""], 20, "the empty file")


@pytest.mark.anyio
async def test_a_secret_without_a_file_is_not_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """The task ends at once."""
    monkeypatch.delenv("SECRET_FILE", raising=False)
    await asyncio.wait_for(Watched("secret", print).watch(), 20)


@pytest.mark.anyio
async def test_what_only_one_look_finds_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is half written or gone for a moment is neither used nor refused; one that stays so is, once."""
    monkeypatch.setattr(watched, "PERIOD", 0)
    whole = ["whole", "whole"]
    looks = iter(["whole", "", *whole, "ha", "half", *whole, "half", "half", "", "", "", "end", "end"])
    used, refused, over = Seen(), Seen(), asyncio.Event()

    def read() -> str:
        found = next(looks, "end")
        if not found:
            raise ValueError("it is gone")
        return found

    def use(found: str) -> None:
        used.append(found)
        if found == "end":
            over.set()

    file = WatchedFile(read, use, refused.append)
    file.begin()
    watching = asyncio.create_task(file.watch())
    await until_async(over.is_set, 20, "the last look")
    watching.cancel()
    assert used == ["whole", "half", "end"]
    assert refused == ["it is gone"]
    assert file.complaint == ""


@pytest.mark.anyio
async def test_a_complaint_lasts_as_long_as_its_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is there while the file is bad, and gone when the file is as it was."""
    monkeypatch.setattr(watched, "PERIOD", 0.01)
    now = ["good"]

    def use(found: str) -> None:
        if found == "bad":
            raise ValueError("it is bad")

    file = WatchedFile(lambda: now[0], use)
    file.begin()
    watching = asyncio.create_task(file.watch())
    for found, complaint in (("bad", "it is bad"), ("good", "")):
        now[0] = found
        await until_async(partial(complains_of, file, complaint), 20, found)
    watching.cancel()
