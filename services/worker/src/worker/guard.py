"""Lets in who has the secret that the worker shares with the api."""

from starlette.types import ASGIApp, Receive, Scope, Send

from warmstart.errors import Unauthorized, respond
from warmstart.http.bearer import Bearers, digest_of
from warmstart.settings.service import words
from warmstart.settings.watched import Watched
from worker.settings import WorkerSettings

REFUSAL = Unauthorized(
    "the worker answers its api only: WORKER_SECRET, as Authorization: Bearer <secret>",
    code="invalid_worker_secret",
    headers={"WWW-Authenticate": "Bearer"},
)


class WorkerSecrets:
    """The values of `WORKER_SECRET` that count; those of its file as it is by now."""

    def __init__(self, settings: WorkerSettings) -> None:
        secret = settings.worker_secret
        self.needed = secret is not None
        self._known = Bearers[bool]()
        self.of = self._known.of
        self._use(secret.get_secret_value() if secret else "")

    async def watch(self, _: object = None) -> None:
        """Follow the file for ever; return at once where there is none."""
        await Watched("worker_secret", self._use).watch()

    def _use(self, text: str) -> None:
        self._known.replace((digest_of(each), True) for each in words(text))


class Guard:
    """401 for a request without one of the secrets, before its body is read. Probes and metrics never come here."""

    def __init__(self, app: ASGIApp, secrets: WorkerSecrets) -> None:
        self._app = app
        self._secrets = secrets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] != "lifespan" and not self._secrets.of(scope):
            await respond(REFUSAL)(scope, receive, send)
            return
        await self._app(scope, receive, send)
