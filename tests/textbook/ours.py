"""What the snippets import instead: FastAPI with all that `warmstart.install` adds, and small real things."""

from typing import Any

import fastapi
import httpx2

from warmstart import ServiceSettings, install

WEATHER = fastapi.FastAPI()


@WEATHER.get("/weather")
async def weather() -> dict[str, str]:
    """As `https://api.example.com/weather` might."""
    return {"sky": "clear"}


class AsyncClient(httpx2.AsyncClient):
    """Reaches the weather service, whatever the host."""

    def __init__(self, timeout: float = 5) -> None:
        super().__init__(transport=httpx2.ASGITransport(WEATHER), timeout=timeout)


def FastAPI(**options: Any) -> fastapi.FastAPI:  # noqa: N802 - in the place of a class
    """An application with probes, gate, limits and errors."""
    app = fastapi.FastAPI(**options)
    install(app, ServiceSettings())
    return app


def SentenceTransformer(name: str) -> Any:  # noqa: N802 - as above
    """The library's own, from the weights of the pinned package: no test reaches a hub."""
    import sentence_transformers

    from worker.model_files import locate

    return sentence_transformers.SentenceTransformer(str(locate(name).path), device="cpu")


class Engine:
    """Notes that it was disposed of."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.disposed = False

    async def dispose(self) -> None:
        """Close all connections."""
        self.disposed = True


create_async_engine = Engine
