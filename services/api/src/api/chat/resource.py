"""The chat server as a resource of the api; declared only where CHAT_URL is set."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import FastAPI

from api.chat.failures import Failures
from api.chat.server import ChatServer
from api.chat.turns import Turns
from api.settings import ApiSettings
from warmstart import Resource


@dataclass(frozen=True)
class Chat:
    """The client, how many use it, and what is known of its failures."""

    server: ChatServer
    turns: Turns
    failures: Failures


@asynccontextmanager
async def open_chat(app: FastAPI) -> AsyncIterator[Chat]:
    """Yield the client once the server has answered. Raises ChatUnavailable otherwise."""
    settings: ApiSettings = app.state.settings
    async with ChatServer(settings) as server:
        await server.check()
        yield Chat(server, Turns(settings.max_chats), Failures())


async def check_chat(chat: Chat) -> None:
    """Raise when the server doesn't answer."""
    await chat.server.check()


CHAT = Resource("chat", open_chat, check=check_chat, required=False, timeout=10)
