"""A private stack with the fake engine, a client of its api, and apps in process with other settings."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeAlias

import httpx2
import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.settings import ApiSettings
from contract.space import KNOWN
from services.api.tests.helpers.chat_standin import MODEL as CHAT_MODEL
from services.api.tests.helpers.chat_standin import ChatStandIn
from services.api.tests.helpers.databases import own_database
from services.api.tests.helpers.replacing import World, replacing
from stack import EmbeddedStack, free_ports
from stack.site import REPOSITORY
from tests.harness.gunicorn import Gunicorn

MODEL = "all-MiniLM-L6-v2"

Settings: TypeAlias = Callable[..., ApiSettings]
Start: TypeAlias = Callable[..., TestClient]
Api: TypeAlias = Callable[..., Gunicorn]

CHAT_KEY = "sk-of-the-chat-server"

SHORT = ApiSettings.model_fields["cache_timeout"].default  # seconds, for tests in which Redis hangs


@pytest.fixture(autouse=True)
def _heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test knows what stand-ins for the worker have named to another one."""
    monkeypatch.setattr("contract.space._heard", dict(KNOWN))


@pytest.fixture(autouse=True)
def _looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """No worker that a busy machine delays is away."""
    monkeypatch.setattr("api.system.workers.LIMIT", 15)  # seconds


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio alone."""
    return "asyncio"


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack]:
    """Postgres, Valkey, the worker with its fake engine, and the api."""
    root: Path = tmp_path_factory.mktemp("stack")
    environment = {"ENGINE": "fake", "DRAIN_SECONDS": "0", "TOKEN_IDS": "1"}
    with EmbeddedStack(root, free_ports(), environment=environment) as running:
        yield running


@pytest.fixture
def address(stack: EmbeddedStack) -> Iterator[str]:
    """A database of this test's own, with the schema at head."""
    with own_database(stack.url("postgres")) as own:
        yield own


@pytest.fixture
async def world(address: str) -> AsyncIterator[World]:
    """Two models, of which none replaces the other yet, and a database of this test's own."""
    async with replacing(address) as made:
        yield made


@pytest.fixture
def upstream() -> Iterator[ChatStandIn]:
    """A stand-in for a chat server."""
    with ChatStandIn().running() as standin:
        yield standin


@pytest.fixture
def http(stack: EmbeddedStack) -> Iterator[httpx2.Client]:
    """A client of the api."""
    with httpx2.Client(base_url=stack.url("api"), timeout=15, trust_env=False) as client:
        yield client


@pytest.fixture
def settings(stack: EmbeddedStack) -> Settings:
    """`settings(quota="1/minute")`: the settings of the stack's api, with changes."""

    def make(**changes: Any) -> ApiSettings:
        addresses = {
            "database_url": stack.url("postgres"),
            "redis_url": stack.url("valkey"),
            "worker_url": stack.url("worker"),
            "cache_timeout": 15,  # seconds: a look-up that a busy machine delays is no miss, and no call counted apart
        }
        return ApiSettings(**{**addresses, **changes})

    return make


@pytest.fixture
def start(settings: Settings) -> Iterator[Start]:
    """`start(api_keys="a,b")`: an api in this process, on the stack's other parts."""
    with ExitStack() as running:

        def begin(**changes: Any) -> TestClient:
            return running.enter_context(TestClient(create_app(settings(**changes))))

        yield begin


@pytest.fixture
def api(stack: EmbeddedStack, upstream: ChatStandIn, tmp_path: Path) -> Iterator[Api]:
    """`api(MAX_CHATS=1)`: an api with chats under gunicorn, ready, on the stack's other parts."""
    addresses = {
        "DATABASE_URL": stack.url("postgres"),
        "REDIS_URL": stack.url("valkey"),
        "WORKER_URL": stack.url("worker"),
    }
    chat = {"CHAT_URL": upstream.url, "CHAT_MODEL": CHAT_MODEL, "CHAT_API_KEY": CHAT_KEY}
    limits = {"DRAIN_SECONDS": 0, "LOG_LEVEL": "debug", "CACHE_TIMEOUT": 15}
    with ExitStack() as running:

        def start(**settings: Any) -> Gunicorn:
            conf = REPOSITORY / "services" / "api" / "gunicorn.conf.py"
            return running.enter_context(
                Gunicorn(conf, tmp_path, **{**addresses, **chat, **limits, **settings})
            ).wait_ready()

        yield start
