"""Routes reach what was opened, with its type, wherever they are."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, WebSocket
from fastapi.testclient import TestClient

from tests.harness.lifespan import lifespan_of
from tests.harness.sample import Start
from warmstart import Resource, ServiceSettings, install, opened, opened_or_none


@asynccontextmanager
async def open_words(_: Any) -> AsyncIterator[list[str]]:
    """Yields what routes want."""
    yield ["real"]


@asynccontextmanager
async def open_never(_: Any) -> AsyncIterator[list[str]]:
    """Fails each time."""
    raise ConnectionError("it is down")
    yield []


WORDS = Resource("words", open_words)
DOWN = Resource("down", open_never, required=False)

Words = Annotated[list[str], Depends(opened(WORDS))]
WordsOrNone = Annotated[list[str] | None, Depends(opened_or_none(WORDS))]
Down = Annotated[list[str], Depends(opened(DOWN))]
DownOrNone = Annotated[list[str] | None, Depends(opened_or_none(DOWN))]

router = APIRouter()


@router.get("/words")
async def words(given: Words, perhaps: WordsOrNone) -> list[str]:
    """One value, whoever asks."""
    assert given is perhaps
    return given


@router.get("/down")
async def down(given: Down) -> list[str]:
    """Needs what is down."""
    return given


@router.get("/without")
def without(given: DownOrNone) -> str:
    """Does without; in a thread."""
    return "nothing" if given is None else given[0]


@router.websocket("/socket")
async def socket(websocket: WebSocket, given: Words) -> None:
    """Says it."""
    await websocket.accept()
    await websocket.send_text(given[0])
    await websocket.close()


def make(resources: Sequence[Resource[Any]] = (WORDS, DOWN)) -> FastAPI:
    """An application with the routes of its own, and those of one that is mounted."""
    settings = ServiceSettings()

    app, mounted = FastAPI(lifespan=lifespan_of(settings, resources)), FastAPI()
    app.include_router(router, prefix="/v1")
    mounted.include_router(router)
    app.mount("/part", mounted)
    install(app, settings)
    return app


def override(app: Any) -> None:
    """With the same stand-in for both dependencies."""
    stand_in = ["stand-in"]
    app.dependency_overrides |= {opened(WORDS): lambda: stand_in, opened_or_none(WORDS): lambda: stand_in}


@pytest.fixture
def client() -> Iterator[TestClient]:
    """Of the started application."""
    with TestClient(make()) as client:
        yield client


@pytest.mark.parametrize("where", ["/v1", "/part"])
def test_routes_of_all_kinds(client: TestClient, where: str) -> None:
    """HTTP routes, WebSockets and those of a mounted application get the value, None, or a typed 503."""
    assert client.get(f"{where}/words").json() == ["real"]
    assert client.get(f"{where}/without").json() == "nothing"
    refused = client.get(f"{where}/down")
    assert refused.status_code == 503
    assert "it is down" in refused.text
    with client.websocket_connect(f"{where}/socket") as connection:
        assert connection.receive_text() == "real"


def test_a_dependency_is_one_object_and_can_be_overridden(client: TestClient) -> None:
    """`dependency_overrides` works as with any dependency."""
    assert opened(WORDS) is opened(WORDS)
    assert opened(WORDS) is not opened_or_none(WORDS)
    override(client.app)
    assert client.get("/v1/words").json() == ["stand-in"]
    with client.websocket_connect("/v1/socket") as connection:
        assert connection.receive_text() == "stand-in"
    assert client.get("/part/words").json() == ["real"], "a mounted application has overrides of its own"


def test_what_nobody_opens_is_an_error_at_start() -> None:
    """The error names the route and the resource; a resource that is overridden needs no opener."""
    app = make(resources=[DOWN])
    with (
        pytest.raises(ValueError, match=r"^/v1/words wants opened\('words'\), but the Lifecycle opens down$"),
        TestClient(app),
    ):
        pass
    app.router.routes[:] = [each for each in app.router.routes if getattr(each, "path", "") != "/part"]
    override(app)
    with TestClient(app) as client:
        assert client.get("/v1/words").json() == ["stand-in"]


def test_the_mistake_ends_a_container(start: Start) -> None:
    """Under gunicorn, too, with the status of a failed start, and without waiting for what is opened."""
    service = start("undeclared", STARTUP_TIMEOUT=600)
    assert service.wait_exit() == 3
    assert "/mistake wants opened('typo'), but the Lifecycle opens database, cache, model" in service.log


def test_a_mounted_application_is_checked() -> None:
    """The routes of a mounted application are checked as well."""
    app = make(resources=[DOWN])
    override(app)
    with pytest.raises(ValueError, match=r"^/part/words wants"), TestClient(app):
        pass


@pytest.mark.parametrize("mistake", ["words", None, open_words])
def test_only_a_resource_can_be_opened(mistake: Any) -> None:
    """A name, or anything else, is an error where it is declared."""
    with pytest.raises(TypeError, match="give the Resource itself"):
        opened(mistake)
