"""Snippets of "Application Lifespan: Startup and Shutdown" and "Lifespan Events and Resource Management", word by word.

`run` executes one with other imports, and nothing else changed.
"""

from typing import Any

TEST_WITH_THE_LIFESPAN = """\
from fastapi.testclient import TestClient
from main import app

def test_embed_endpoint():
    with TestClient(app) as client:
        # Lifespan runs on __enter__
        resp = client.post("/embeddings/", json={"texts": ["hello world"]})
        assert resp.status_code == 200
        body = resp.json()
        assert len(body["embeddings"]) == 1
        assert len(body["embeddings"][0]) > 0
    # Lifespan cleanup runs on __exit__
"""

TEST_WITH_A_FAKE_LIFESPAN = """\
from main import app
from contextlib import asynccontextmanager
from unittest.mock import MagicMock

@asynccontextmanager
async def test_lifespan(app):
    app.state.embedding_model = MagicMock()
    app.state.embedding_model.encode.return_value = [[0.1, 0.2, 0.3]]
    app.state.db_pool = MagicMock()
    app.state.redis = None
    app.state.ready = True
    yield

app.router.lifespan_context = test_lifespan
"""

MODEL_IN_THE_LIFESPAN = """\
from sentence_transformers import SentenceTransformer
from contextlib import asynccontextmanager
from fastapi import FastAPI
import asyncio

EMBEDDING_MODEL_NAME = "sentence-transformers/all-MiniLM-L6-v2"

@asynccontextmanager
async def lifespan(app: FastAPI):
    print(f"Loading embedding model: {EMBEDDING_MODEL_NAME}")
    # SentenceTransformer is a synchronous library — load in thread pool
    model = await asyncio.to_thread(SentenceTransformer, EMBEDDING_MODEL_NAME)
    app.state.embedding_model = model
    print("Embedding model loaded and ready")
    yield
    # No explicit cleanup needed for in-memory models
    del app.state.embedding_model
    print("Embedding model unloaded")

app = FastAPI(lifespan=lifespan)
"""

SHARED_CLIENT = """\
import httpx
from contextlib import asynccontextmanager
from fastapi import FastAPI, Request

@asynccontextmanager
async def lifespan(app: FastAPI):
    app.state.http = httpx.AsyncClient(timeout=10)
    yield
    await app.state.http.aclose()

app = FastAPI(lifespan=lifespan)

@app.get("/weather")
async def weather(request: Request):
    response = await request.app.state.http.get("https://api.example.com/weather")
    return response.json()
"""

CLIENT_AS_A_DEPENDENCY = """\
import httpx
from fastapi import Depends, Request

def get_http(request: Request) -> httpx.AsyncClient:
    return request.app.state.http

@app.get("/weather")
async def weather(client: httpx.AsyncClient = Depends(get_http)):
    response = await client.get("https://api.example.com/weather")
    return response.json()
"""

DATABASE_ENGINE = """\
from contextlib import asynccontextmanager
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import create_async_engine, async_sessionmaker

@asynccontextmanager
async def lifespan(app: FastAPI):
    app.state.engine = create_async_engine("postgresql+asyncpg://user:pass@host/db")
    app.state.SessionLocal = async_sessionmaker(app.state.engine, expire_on_commit=False)
    yield
    await app.state.engine.dispose()

app = FastAPI(lifespan=lifespan)
"""

PREDICT = """\
import joblib
from contextlib import asynccontextmanager
from fastapi import FastAPI, Request

@asynccontextmanager
async def lifespan(app: FastAPI):
    app.state.model = joblib.load("model.pkl")
    yield
    # No teardown needed for in-memory model

app = FastAPI(lifespan=lifespan)

@app.post("/predict")
def predict(features: list[float], request: Request):
    prediction = request.app.state.model.predict([features])
    return {"prediction": prediction.tolist()}
"""

EXIT_STACK = """\
import httpx
from contextlib import AsyncExitStack, asynccontextmanager
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import create_async_engine

@asynccontextmanager
async def lifespan(app: FastAPI):
    async with AsyncExitStack() as stack:
        app.state.http = await stack.enter_async_context(httpx.AsyncClient())
        engine = create_async_engine("...")
        stack.push_async_callback(engine.dispose)
        app.state.engine = engine
        yield
    # All resources released in reverse order automatically

app = FastAPI(lifespan=lifespan)
"""

WORKER, API, OURS = "tests.textbook.main", "tests.textbook.api_main", "tests.textbook.ours"
IMPORTS = {
    "from sentence_transformers import SentenceTransformer": f"from {OURS} import SentenceTransformer",
    "import httpx": f"import {OURS} as httpx",
    "from fastapi import FastAPI": f"from {OURS} import FastAPI",
    "from fastapi import FastAPI, Request": f"from {OURS} import FastAPI; from fastapi import Request",
    "from sqlalchemy.ext.asyncio import create_async_engine": f"from {OURS} import create_async_engine",
}


def run(snippet: str, given: dict[str, Any] | None = None, *, main: str = WORKER) -> dict[str, Any]:
    """Execute a snippet with the imports of `IMPORTS`, and `main` another module; return the names that it defines.

    `given` holds the names of an earlier snippet.
    """
    imports = {**IMPORTS, "from main import app": f"from {main} import app"}
    names = dict(given or {})
    exec(compile("\n".join(imports.get(line, line) for line in snippet.splitlines()), "snippet", "exec"), names)
    return names
