"""Mistakes in declarations: each is an error that names it, before anything is opened."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any

import pytest
from fastapi import FastAPI

from warmstart import Lifecycle, Resource, ServiceSettings


@asynccontextmanager
async def open_it(app: FastAPI) -> AsyncIterator[str]:
    """As it should be."""
    yield "it"


@asynccontextmanager
async def open_nothing() -> AsyncIterator[str]:
    """Doesn't take the application."""
    yield "it"


async def undecorated(app: FastAPI) -> AsyncIterator[str]:
    """Without @asynccontextmanager."""
    yield "it"


async def returning(app: FastAPI) -> str:
    """Returns what it should yield."""
    return "it"


@contextmanager
def not_async(app: FastAPI) -> Iterator[str]:
    """As tutorials show it for other frameworks."""
    yield "it"


def ping(value: str) -> None:
    """A check that blocks."""


async def ping_nothing() -> None:
    """A check that doesn't take the value."""


class Client:
    """Checks itself."""

    async def ping(self) -> None:
        """As it should be."""

    async def __call__(self, value: object) -> None:
        """As it should be, too."""


MISTAKES: list[tuple[dict[str, Any], str]] = [
    *(({"name": name}, "the name must be an identifier") for name in ("", "my model", "2nd", "a.b", "class", None, 7)),
    *(({"name": name}, "the name must be none of") for name in ("ready", "lifecycle", "settings", "_state")),
    ({"open": "postgres"}, "open must be a function"),
    ({"open": open_it(FastAPI())}, "don't call it"),
    ({"open": undecorated}, "decorate it with @asynccontextmanager"),
    ({"open": returning}, "open must yield the value"),
    ({"open": not_async}, "not @contextmanager"),
    ({"open": open_nothing}, "open must take the application"),
    ({"check": ping}, "check must be async"),
    ({"check": "ping"}, "check must be async"),
    ({"check": ping_nothing}, "check must take the value"),
    ({"gates": True}, "no check"),
    ({"describe": "it"}, "describe must be a function"),
    ({"describe": returning}, "describe must be a function that is not async"),
    ({"after": "ab"}, "after must be a tuple of names"),
    ({"after": (7,)}, "after must be a tuple of names"),
    ({"after": None}, "after must be a tuple of names"),
    *(({"timeout": limit}, "timeout must be None or seconds above 0") for limit in (-1, 0, True, "5", float("nan"))),
    ({"required": "no"}, "required must be True or False"),
    ({"gates": 1, "check": returning}, "gates must be True or False"),
]


@pytest.mark.parametrize(("mistake", "message"), MISTAKES)
def test_a_mistake_in_a_declaration_is_named(mistake: dict[str, Any], message: str) -> None:
    """`Resource(…)` raises TypeError with its name and the mistake."""
    declared = {"name": "it", "open": open_it, **mistake}
    with pytest.raises(TypeError, match=message) as raised:
        Resource(**declared)
    assert str(raised.value).startswith(f"Resource({declared['name']!r}): ")


def test_all_mistakes_are_named_at_once() -> None:
    """One error names all mistakes of a declaration."""
    with pytest.raises(TypeError, match=r"async.*; after must be .*; timeout must be"):
        Resource("it", open_it, check=ping, after="ab", timeout=-1)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "check", [Client.ping, partial(returning), Client(), lambda client: client.ping(), None], ids=repr
)
def test_what_can_be_awaited_is_a_check(check: Any) -> None:
    """A method, a partial, an object with an async call, a lambda."""
    Resource("it", open_it, check=check)


@pytest.mark.parametrize(
    ("resources", "error", "message"),
    [
        ([Resource("a", open_it), Resource("a", open_it)], ValueError, "unique"),
        ([Resource("a", open_it, after=("b",))], ValueError, r"Resource\('a'\): it comes after unknown ones: \['b'\]"),
        ([Resource("a", open_it, after=("b",)), Resource("b", open_it, after=("a",))], ValueError, "after each other"),
        (Resource("a", open_it), TypeError, "a sequence of Resource"),
        ([open_it], TypeError, "a sequence of Resource"),
    ],
)
def test_resources_that_make_no_sense_together(resources: Any, error: type[Exception], message: str) -> None:
    """`Lifecycle(…)` raises before anything opens."""
    with pytest.raises(error, match=message):
        Lifecycle(FastAPI(), resources, ServiceSettings())


def test_who_asks_for_what_was_not_declared_is_told_what_was() -> None:
    """The error for an undeclared name lists the declared ones."""
    lifecycle = Lifecycle(FastAPI(), [Resource("postgres", open_it)], ServiceSettings())
    with pytest.raises(LookupError, match="no resource 'postgers' was declared, but postgres"):
        lifecycle.value(Resource("postgers", open_it))
