"""`PUT /v1/faults/{service}`: what the page's buttons do."""

import asyncio
import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from services.api.tests.conftest import Start
from stack import until
from warmstart.faults import WALL_CLOCK, Faults, Switches


def test_switches_go_off_by_themselves(start: Start, tmp_path: Path) -> None:
    """The file says until when they are on: not even a blocked process has to be asked."""
    file = tmp_path / "faults"
    client = start(faults_enabled=True, faults_file=file)
    began = time.time()
    assert client.put("/v1/faults/api?seconds=9999", json={"failing_checks": ["redis"]}).status_code == 200
    assert began + 300 <= json.loads(file.read_text())["until"] <= time.time() + 300
    switches = Switches(file)
    assert switches.read().failing_checks == {"redis"}
    assert client.put("/v1/faults/api?seconds=0", json={"failing_checks": ["redis"]}).status_code == 200
    assert switches.read() == Faults()


def test_a_moved_clock_keeps_no_switch_on(start: Start, tmp_path: Path) -> None:
    """Seconds are those of the real clock: what is turned while `time.time()` is an hour ahead ends as usual."""
    file = tmp_path / "faults"
    client = start(faults_enabled=True, faults_file=file)
    assert client.put("/v1/faults/api", json={"moved_clock": 3600}).status_code == 200
    until(lambda: time.time() > WALL_CLOCK() + 3000, 20, "the moved clock")
    assert client.put("/v1/faults/api", json={"unready": True}).status_code == 200
    assert json.loads(file.read_text())["until"] <= WALL_CLOCK() + 30


def test_what_can_not_be_turned_is_an_error(start: Start, tmp_path: Path) -> None:
    """A switch that isn't known is the caller's mistake; a worker without switches, and a lost folder, are said."""
    client = start(faults_enabled=True, faults_file=tmp_path / "gone" / "faults")
    assert client.put("/v1/faults/api", json={"typo": True}).status_code == 400
    assert client.put("/v1/faults/database", json={}).status_code == 400
    for service in ("api", "worker"):
        refused = client.put(f"/v1/faults/{service}", json={"unready": True})
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "dependency_unavailable")


@pytest.mark.anyio
async def test_workers_that_are_away_keep_no_other_one_from_being_turned(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer names those that were not turned, though not the idle IP version, and counts those not asked."""
    ordered: list[Any] = []

    async def obey(request: web.Request) -> web.Response:
        ordered.append(await request.json())
        return web.json_response({})

    worker = web.Application()
    worker.router.add_put("/faults", obey)
    runner = web.AppRunner(worker)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    known = ["127.0.0.1", "127.0.0.2", "::1"]
    client = start(faults_enabled=True, faults_file=tmp_path / "faults")
    workers = client.app.state.look._workers  # type: ignore[attr-defined]
    workers._url = workers._url.with_port(port)

    async def get() -> list[str]:
        return known

    monkeypatch.setattr(workers._addresses, "get", get)
    turn = partial(client.put, "/v1/faults/worker", json={"unready": True})
    answer = (await asyncio.to_thread(turn)).json()
    assert [each["unready"] for each in ordered] == [answer["unready"]] == [True]
    assert (answer["missed"], answer["unasked"]) == ({f"127.0.0.2:{port}": "Connection refused"}, 0)
    known[1:] = [f"127.0.0.{number}" for number in range(2, 21)]
    answer = (await asyncio.to_thread(turn)).json()
    assert (len(answer["missed"]), answer["unasked"]) == (15, 4)
    known[:] = ["127.0.0.2", "::1"]
    assert (await asyncio.to_thread(turn)).status_code == 503
    await runner.cleanup()


def test_without_faults_enabled_there_is_no_such_route(start: Start) -> None:
    """Neither in the api nor in the OpenAPI document."""
    client = start()
    assert client.put("/v1/faults/api", json={}).status_code == 404
    assert "/v1/faults/{service}" not in client.get("/openapi.json").json()["paths"]
