"""`/metrics` says of the pod what the probes say, how long its starts took, and nothing in a client's own words."""

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from stack import until
from tests.harness.sample import Start, World
from warmstart import Lifecycle, Resource, ServiceSettings, install

Samples = dict[str, dict[tuple[str, ...], float]]


def samples(text: str) -> Samples:
    """By name and label values, in the order of the labels' names."""
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for each in family.samples:
            labels = tuple(value for _, value in sorted(each.labels.items()))
            found.setdefault(each.name, {})[labels] = each.value
    return found


@asynccontextmanager
async def opens(app: FastAPI) -> AsyncIterator[int]:
    yield 1


async def fails(value: int) -> None:
    raise ConnectionError("down")


def make() -> FastAPI:
    """Of two resources, the second comes after the first, and one check fails."""
    settings = ServiceSettings(health_interval=0.001)
    resources = [Resource("store", opens, check=fails), Resource("model", opens, after=("store",))]

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with Lifecycle(app, resources, settings):
            yield

    app = FastAPI(title="Sample", version="1.2.3", lifespan=lifespan)
    install(app, settings)
    return app


def scrape(client: TestClient) -> Samples:
    return samples(client.get("/metrics").text)


def test_what_a_client_makes_up_is_no_label() -> None:
    """Neither a path that no route has, nor a method that HTTP doesn't know."""
    with TestClient(make()) as client:
        for word in ("alpha", "beta"):
            client.request(f"{word}-method", f"/{word}-path/{word}")
        text = client.get("/metrics").text
    assert "alpha" not in text
    assert "beta" not in text
    answered = samples(text)["http_server_request_duration_seconds_count"]
    assert answered["_OTHER", "404", "unmatched"] >= 2


def test_the_checks_are_those_of_the_probes() -> None:
    """Each check of `/readyz?verbose` is a sample; the pod is ready although one fails, since it doesn't gate."""
    with TestClient(make()) as client:
        until(lambda: "[-]store" in client.get("/readyz?verbose").text, 10, "the failing check")
        found = scrape(client)
    assert found["warmstart_healthcheck"] == {
        ("ping", "livez"): 1,
        ("first-ready", "startupz"): 1,
        ("lifecycle", "readyz"): 1,
        ("store", "readyz"): 0,
        ("model", "readyz"): 1,
    }
    assert found["warmstart_ready"] == {(): 1}
    assert next(iter(found["warmstart_build_info"]))[1:] == ("Sample", "1.2.3")


def test_without_a_lifecycle_the_build_is_known() -> None:
    """A test that replaces the lifespan can read `/metrics`."""
    app = FastAPI()
    install(app, ServiceSettings())
    found = scrape(TestClient(app))
    assert "warmstart_build_info" in found
    assert "warmstart_ready" not in found


def test_starts_are_timed_and_counted(world: World, start: Start) -> None:
    """For the slowest living process, by phase and resource; a replacement counts, and takes nothing from others."""
    world.model(0.2)
    service = start(WEB_CONCURRENCY=2).wait_ready()

    def found() -> Samples:
        return samples(service.get("/metrics").body.decode())

    until(lambda: found()["warmstart_starts_total"][()] == 2, 10, "both starts")
    startup = found()["warmstart_startup_seconds"]
    opening = found()["warmstart_resource_startup_seconds"]
    started = found()["warmstart_last_start_timestamp_seconds"][()]
    assert set(startup) == {("starting",), ("warming",)}
    assert set(opening) == {
        (phase, name) for phase in ("waiting", "opening") for name in ("database", "cache", "model")
    }
    assert 0.2 <= opening["opening", "model"] <= startup["warming",]
    assert found()["warmstart_processes"]["ready",] == 2
    world.model(0)
    first = set(service.workers())
    for pid in first:
        os.kill(pid, signal.SIGKILL)
    until(lambda: len(service.workers()) == 2 and not first & set(service.workers()), 20, "other processes")
    until(lambda: found()["warmstart_processes"]["ready",] == 2, 20, "both ready")
    until(lambda: found()["warmstart_starts_total"][()] == 4, 10, "all starts")
    assert found()["warmstart_last_start_timestamp_seconds"][()] > started
    later = found()["warmstart_resource_startup_seconds"]
    assert later["opening", "model"] != opening["opening", "model"], "that of a process that has gone"
