"""Flags of a file are followed while a service runs: whatever happens to the file, requests go on."""

import asyncio
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from prometheus_client import REGISTRY

from stack import until
from tests.harness.lifespan import lifespan_of
from warmstart import ServiceSettings, install
from warmstart.flags.followed import LARGEST, FollowedFlags
from warmstart.flags.text import FlagSet
from warmstart.lifecycle.lifespan import StartFailed
from warmstart.settings import watched


class Flags(FlagSet):
    """Those of the service below."""

    sums: bool = False
    mode: str = "on"


Start: TypeAlias = Callable[[Path], TestClient]


def service(file: Path | None) -> FastAPI:
    """Answers with its flags; `/changes` with those before and after it has changed the file."""
    settings = ServiceSettings(health_interval=0.05, readiness_policy="coupled")
    flags = FollowedFlags(Flags(), file)
    app = FastAPI(lifespan=lifespan_of(settings, [flags.resource()]))
    app.state.flags = flags
    install(app, settings)

    @app.get("/flags")
    async def read(request: Request) -> Flags:
        return flags.of(request.scope)

    @app.get("/changes")
    async def changes(request: Request) -> list[Flags]:
        before = flags.of(request.scope)
        replace(file or Path(), '{"sums": true}')
        while flags.now == before:
            await asyncio.sleep(0.01)
        return [before, flags.of(request.scope), flags.now]

    return app


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """`start(file)`: a client of a service that follows the file."""
    monkeypatch.setattr(watched, "PERIOD", 0.01)
    with ExitStack() as running:
        yield lambda file: running.enter_context(TestClient(service(file)))


@pytest.fixture
def mount(tmp_path: Path) -> Path:
    """A ConfigMap with `flags.json`, as the kubelet mounts it."""
    (tmp_path / "mount").mkdir()
    (tmp_path / "mount" / "flags.json").symlink_to("..data/flags.json")
    swap(tmp_path / "mount" / "flags.json", '{"sums": false}')
    return tmp_path / "mount" / "flags.json"


def swap(file: Path, text: str) -> None:
    """As the kubelet does it: a new folder, and a link to it that is renamed onto `..data`."""
    folder = file.parent
    versions = len([*folder.glob("..2*")])
    version = folder / f"..2026_11_29_{versions}"
    version.mkdir()
    (version / file.name).write_text(text)
    (folder / "..data_tmp").symlink_to(version.name)
    (folder / "..data_tmp").rename(folder / "..data")


def replace(file: Path, text: str) -> None:
    """As an editor does it."""
    (file.parent / ".new").write_text(text)
    (file.parent / ".new").rename(file)


def write(file: Path, text: str) -> None:
    """In place, as `>` of a shell does it."""
    file.write_text(text)


def count(name: str, **labels: str) -> float:
    """A sample of this process."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


def flags_of(client: TestClient) -> dict[str, Any]:
    """What a request sees."""
    found: dict[str, Any] = client.get("/flags").json()
    return found


def reported(client: TestClient) -> dict[str, Any]:
    """The resource in `/startupz`."""
    found: dict[str, Any] = client.get("/startupz").json()["resources"][0]
    assert found["name"] == "flags"
    return found


@pytest.mark.parametrize("change", [swap, replace, write])
def test_a_changed_file_changes_the_flags(
    start: Start, mount: Path, change: Callable[[Path, str], None], caplog: pytest.LogCaptureFixture
) -> None:
    """Without a restart, however it is changed; the log says from what to what, `/startupz` which version counts."""
    client = start(mount)
    changes = count("warmstart_flag_changes_total")
    change(mount, '\ufeff{"sums": true,\r\n "mode": "größer"}\r\n')
    until(lambda: flags_of(client) == {"sums": True, "mode": "größer"}, 30, "the new flags")
    words = r"flags: sums false -> true, mode on -> gr\u00f6\u00dfer (sha256 "
    until(lambda: words in caplog.text, 30, "the line")  # it follows the change
    until(lambda: count("warmstart_flag_changes_total") == changes + 2, 30, "the count")
    assert count("warmstart_flag_processes", flag="sums", value="true") == 1
    assert count("warmstart_flag_processes", flag="sums", value="false") == 0
    detail = reported(client)["detail"]
    assert detail.startswith("sums=true mode=gr")
    change(mount, "{}")
    until(lambda: flags_of(client) == {"sums": False, "mode": "on"}, 30, "the defaults")
    assert reported(client)["detail"] != detail


def test_a_request_sees_the_same_flags_to_its_end(start: Start, mount: Path) -> None:
    """The next one sees the new ones."""
    client = start(mount)
    first, last, now = client.get("/changes").json()
    assert first == last == {"sums": False, "mode": "on"}
    assert now == flags_of(client) == {"sums": True, "mode": "on"}


def complains(client: TestClient, words: str) -> bool:
    """Whether the check of the flags says so."""
    return words in (reported(client)["error"] or "")


def instead(file: Path, make: Callable[[Path], None]) -> None:
    """Something else in the place of a file, or of a folder."""
    file.rmdir() if file.is_dir() else file.unlink()
    make(file)


def bad(file: Path) -> dict[str, Callable[[], object]]:
    """What may happen to a file, by the words that tell it."""
    return {
        "FLAGS_FILE: sums: Input should be a valid boolean": lambda: file.write_text('{"sums": "false"}'),
        "FLAGS_FILE: not JSON": lambda: file.write_text('{"sums": tr'),
        "FLAGS_FILE: not UTF-8": lambda: file.write_bytes(b"\xff\xfe{}"),
        "FLAGS_FILE: more than 65536 bytes": lambda: file.write_text(" " * LARGEST + "{}"),
        "FLAGS_FILE: No such file or directory": file.unlink,
        "FLAGS_FILE: Too many levels of symbolic links": lambda: file.symlink_to(file.name),
        "FLAGS_FILE: Is a directory": partial(instead, file, os.mkdir),
        "FLAGS_FILE: not a regular file": partial(instead, file, os.mkfifo),
    }


def test_a_bad_file_changes_nothing(start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One line and one count for each; the check says why, and gates under no policy; a good file ends it."""
    file = tmp_path / "flags.json"
    file.write_text('{"sums": true}')
    client = start(file)
    refused = count("warmstart_flags_refused_total")
    with caplog.at_level(logging.ERROR):
        for number, (words, cause) in enumerate(bad(file).items(), start=1):
            cause()
            until(partial(complains, client, words), 30, words)
            assert reported(client)["state"] == "degraded"
            assert flags_of(client)["sums"] is True
            assert count("warmstart_flags_refused_total") == refused + number
    told = [each for each in caplog.messages if "what was read before still counts" in each]
    assert len(told) == len(bad(file))
    assert str(file) in told[0]
    assert client.get("/readyz").status_code == 200
    assert "flags failed: degraded: FLAGS_FILE: " in client.get("/readyz?verbose").text
    assert "(not gating)" in client.get("/readyz?verbose").text
    file.unlink()
    file.write_text('{"sums": false}')
    until(lambda: reported(client)["state"] == "ready", 30, "the end of it")
    until(lambda: flags_of(client)["sums"] is False, 30, "the good file")


@pytest.mark.parametrize("words", bad(Path("any")))
def test_a_bad_file_ends_the_start(start: Start, tmp_path: Path, words: str) -> None:
    """The error names file, flag and reason."""
    file = tmp_path / "flags.json"
    file.touch()
    for each, cause in bad(file).items():
        cause()
        if each == words:
            break
    with pytest.raises(StartFailed, match="flags") as raised:
        start(file)
    assert words in str(raised.value)
    assert str(file) in str(raised.value)


def test_an_unknown_flag_is_told(start: Start, mount: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It ends neither a start nor a change, since an older version meets a newer file; what may be meant is told."""
    swap(mount, '{"sum": true, "a\\nb": 1, "' + "x" * 500 + '": 1}')
    client = start(mount)
    assert r"FLAGS_FILE: nothing reads a\nb, sum (did you mean sums?), xxx" in caplog.text
    assert r"; nothing reads a\nb, sum, xxx" in reported(client)["detail"]
    assert len(reported(client)["detail"]) < 300
    assert reported(client)["state"] == "ready"
    swap(mount, '{"sums": true, "zone": 1}')
    until(lambda: flags_of(client)["sums"], 30, "the new flags")
    until(lambda: "nothing reads zone" in caplog.text, 30, "the line")  # it follows the change


def test_without_a_file_the_defaults_hold() -> None:
    """Nothing is read or followed, also where the resource is declared; a unit test needs no lifespan."""
    app = service(None)
    assert TestClient(app).get("/flags").json() == {"sums": False, "mode": "on"}
    with TestClient(app) as client:
        assert flags_of(client) == {"sums": False, "mode": "on"}
        assert reported(client)["state"] == "ready"
        assert reported(client)["detail"] == "sums=false mode=on (by default)"
        assert client.get("/readyz").status_code == 200
