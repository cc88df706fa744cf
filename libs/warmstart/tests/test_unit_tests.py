"""The ways in which docs/testing.md tests routes, with stand-ins instead of what the service opens."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, Request
from fastapi.testclient import TestClient

from warmstart import Lifecycle, Resource, ServiceSettings, install, opened


class Model:
    """What the service opens."""

    def encode(self, text: str) -> list[float]:
        """Needs a GPU."""
        raise NotImplementedError


class FakeModel(Model):
    """What the tests have instead."""

    def encode(self, text: str) -> list[float]:
        """The text's length."""
        return [float(len(text))]


@asynccontextmanager
async def open_model(app: Any) -> AsyncIterator[Model]:
    """Fails where tests run."""
    raise ConnectionError("no such file")
    yield Model()


MODEL = Resource("model", open_model)


def create_app() -> FastAPI:
    """The service."""
    settings = ServiceSettings(startup_timeout=0.1)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with Lifecycle(app, [MODEL], settings):
            yield

    app = FastAPI(lifespan=lifespan)
    install(app, settings)

    @app.get("/encode")
    async def encode(text: str, model: Annotated[Model, Depends(opened(MODEL))]) -> list[float]:
        return model.encode(text)

    @app.get("/textbook")
    async def textbook(text: str, request: Request) -> Any:
        return request.app.state.model.encode(text)

    return app


@asynccontextmanager
async def fake_lifespan(app: FastAPI) -> AsyncIterator[None]:
    """As tutorials have it."""
    app.state.model = FakeModel()
    app.state.ready = True
    yield


def test_without_a_lifespan() -> None:
    """Without `with`, no lifespan runs: routes are reached, and get what overrides their dependencies."""
    app = create_app()
    app.dependency_overrides[opened(MODEL)] = FakeModel
    assert TestClient(app).get("/encode?text=four").json() == [4]


def test_a_failed_start_leaves_nothing_behind() -> None:
    """A test without a lifespan is answered as ever, when the real lifespan of the same application failed before."""
    app = create_app()
    app.dependency_overrides[opened(MODEL)] = FakeModel
    with pytest.raises(Exception, match="not ready within"), TestClient(app):
        pass
    assert TestClient(app).get("/encode?text=four").json() == [4]
    assert TestClient(app).get("/readyz").status_code == 503


def test_without_anything() -> None:
    """A resource without a stand-in is a typed 503 that says why."""
    answer = TestClient(create_app()).get("/encode?text=four")
    assert answer.status_code == 503
    assert answer.json()["error"]["message"] == "model is unavailable: not open: the application's lifespan has not run"


@pytest.mark.parametrize("after_a_real_one", [False, True])
def test_with_a_fake_lifespan(after_a_real_one: bool) -> None:
    """The textbook's: routes reach `app.state` and what is opened, also when the real lifespan ran before."""
    app = create_app()
    if after_a_real_one:
        with pytest.raises(Exception, match="not ready within"), TestClient(app):
            pass
    app.router.lifespan_context = fake_lifespan
    with TestClient(app) as client:
        assert client.get("/encode?text=four").json() == [4]
        assert client.get("/textbook?text=four").json() == [4]
        assert client.get("/readyz").status_code == 200
        assert client.get("/startupz").json()["phase"] == "ready"


def test_with_another_resource() -> None:
    """The real lifespan with another opener behind the same name."""

    @asynccontextmanager
    async def open_fake(app: Any) -> AsyncIterator[Model]:
        yield FakeModel()

    app, settings = create_app(), ServiceSettings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with Lifecycle(app, [Resource("model", open_fake)], settings):
            yield

    app.router.lifespan_context = lifespan
    with TestClient(app) as client:
        assert client.get("/encode?text=four").json() == [4]
