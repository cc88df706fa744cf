"""The client of the chat server: one for the whole process, whose connections are shared."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

from aiohttp import (
    ClientConnectionError,
    ClientConnectorError,
    ClientError,
    ClientHttpProxyError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    DummyCookieJar,
    TCPConnector,
)
from yarl import URL

from api.chat.errors import DENIED, LOOP_HEADER, ChatBroken, ChatInvalid, ChatUnavailable, refusal
from api.chat.events import BROKE
from api.chat.proxy import proxy_for
from api.settings import ApiSettings
from warmstart import request_id
from warmstart.lifecycle.health import reason
from warmstart.traces import now

CONNECT_TIMEOUT = 5.0  # seconds
KEEPALIVE = 4.0  # seconds an idle connection is kept: less than the 5 of uvicorn and llama.cpp, which would close first
CHECK_EVERY = 10.0  # seconds between two calls of a health check that succeed: providers count calls
MOST_BYTES = 4 * 2**20  # of a whole answer, or of an error
PATH = "chat/completions"
DENIALS = (401, 403)
PROXY_DENIES = 407
EXPLAINED = (400, 422)  # the body says why
UNSENT = (ClientConnectorError, ConnectionTimeoutError)


class ChatServer:
    """Asks the server at CHAT_URL. The caller's own headers never go there, and no redirect is followed."""

    def __init__(self, settings: ApiSettings) -> None:
        self._settings = settings
        self._url = URL((settings.chat_url or "").rstrip("/"))
        self._key = settings.chat_api_key.get_secret_value() if settings.chat_api_key else None
        self._session = ClientSession(
            proxy=proxy_for(self._url),
            connector=TCPConnector(limit=0, keepalive_timeout=KEEPALIVE),  # MAX_CHATS is the bound
            timeout=ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT),
            cookie_jar=DummyCookieJar(),
            auto_decompress=False,  # 64 KiB may become 64 MiB
            headers={"Accept-Encoding": "identity", LOOP_HEADER: "1"},
        )
        self._well_until = 0.0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._session.close()

    @asynccontextmanager
    async def asked(self, payload: bytes) -> AsyncIterator[ClientResponse]:
        """A good answer to a call for a completion; leaving the block before its end cancels the call.

        Raises ChatUnavailable when the server can't be reached or lets nobody in, and those of `refusal`.
        """
        about = {"http.request.method": "POST", "server.address": self._url.host or ""}
        with now.span(f"POST /{PATH}", about, "client") as span:
            response = await self._send("POST", PATH, payload)
            async with response:
                if span:
                    span.set_attribute("http.response.status_code", response.status)
                if response.status != 200:
                    told = await body_of(response) if response.status in EXPLAINED else b""
                    raise refusal(response.status, response.headers, told)
                if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                    raise ChatInvalid("the chat server compresses its answers though it was asked not to")
                self._well_until = time.monotonic() + CHECK_EVERY
                yield response

    async def check(self) -> None:
        """Raise ChatUnavailable when the server doesn't answer, or fails. Listing models costs nothing.

        A server without that list, or a key that may not see it (403), says that the server is there.
        """
        if time.monotonic() < self._well_until:
            return
        response = await self._send("GET", "models")
        async with response:
            if response.status == 401:
                raise ChatUnavailable(DENIED)
            if response.status >= 500:
                raise ChatUnavailable(f"it answered {response.status}")
        self._well_until = time.monotonic() + CHECK_EVERY

    async def _send(self, method: str, path: str, payload: bytes | None = None) -> ClientResponse:
        """Send it; once more if the server refuses a key that has changed since in its file."""
        sent = self._key
        response = await self._exchange(method, path, payload)
        if response.status in DENIALS:
            async with response:
                await self._read_key()
            if self._key != sent:  # perhaps another call has read it first
                response = await self._exchange(method, path, payload)
        return response

    async def _exchange(self, method: str, path: str, payload: bytes | None) -> ClientResponse:
        headers = {"Content-Type": "application/json"} if payload else {}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        if name := request_id.current():
            headers[request_id.HEADER] = name
        now.send(headers)
        url = self._url / path
        try:
            response = await self._session.request(method, url, data=payload, headers=headers, allow_redirects=False)
        except ClientHttpProxyError as error:
            raise _of_the_proxy(error.status) from None  # it holds the proxy's password
        except UNSENT as error:
            self._well_until = 0.0
            raise ChatUnavailable(reason(error)) from error
        except (ClientConnectionError, ConnectionError) as error:
            raise ChatBroken(BROKE) from error
        except (ClientError, OSError, ValueError) as error:
            raise ChatInvalid("the chat server's answer is not HTTP") from error
        if response.status == PROXY_DENIES:
            response.close()
            raise _of_the_proxy(PROXY_DENIES)
        return response

    async def _read_key(self) -> None:
        """Read CHAT_API_KEY from its file again."""
        read = await asyncio.to_thread(self._settings.read_again, "chat_api_key")
        self._key = read or self._key


def _of_the_proxy(status: int) -> ChatUnavailable:
    return ChatUnavailable(f"the proxy before it answered {status}")


async def body_of(response: ClientResponse) -> bytes:
    """The whole body. Raises ChatInvalid for a larger one than `MOST_BYTES`, ChatBroken for one that breaks off."""
    body = b""
    try:
        while piece := await response.content.readany():
            body += piece
            if len(body) > MOST_BYTES:
                raise ChatInvalid(f"the answer of the chat server is larger than {MOST_BYTES} bytes")
    except (ClientError, OSError) as error:
        raise ChatBroken(BROKE) from error
    return body
