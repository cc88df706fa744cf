"""The stand-in for a chat model (`stack.chat`) in a stack: `CHAT=demo make up` starts it, and leads the api to it."""

import os
import sys
from collections.abc import Mapping

from stack.chat import MODEL
from stack.daemon import Command
from stack.environment import UTF8, inherited
from stack.errors import StackError
from stack.interface import CHAT, PARTS, Part
from stack.ports import HOST
from stack.program import Program

VARIABLE, DEMO = "CHAT", "demo"
ADDRESS = "CHAT_URL"  # of the api: a chat server of the user's own


def asked_parts(environment: Mapping[str, str] = os.environ) -> tuple[Part, ...]:
    """The parts that `make up` starts.

    Raises:
        StackError: CHAT is another word than `demo`, or the environment names a server of the user's own besides.
    """
    wanted = environment.get(VARIABLE, "")
    if not wanted:
        return PARTS
    if wanted != DEMO:
        raise StackError(f"{VARIABLE}={wanted}: only {DEMO} is known; {ADDRESS} names a chat server of your own")
    if named_another(environment):
        raise StackError(f"{VARIABLE}={DEMO} and {ADDRESS}: the api has one chat server, leave one of them unset")
    return (*PARTS, CHAT)


def settings(url: str) -> Mapping[str, str]:
    """The api's settings that lead it to the server at this address."""
    return {ADDRESS: f"{url}/v1", "CHAT_MODEL": MODEL}


def named_another(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the environment names a chat server of the user's own, to which the api goes instead."""
    return bool(environment.get(ADDRESS))


class DemoChat(Program):
    """Its process on this machine."""

    name = CHAT
    grace = 5.0

    def command(self, environment: Mapping[str, str]) -> Command:
        argv = (sys.executable, "-m", "stack.chat", "--host", HOST, "--port", str(self.port))
        return Command(argv, {**inherited(), **UTF8, **environment})
