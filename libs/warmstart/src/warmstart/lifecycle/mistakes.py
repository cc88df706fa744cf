"""Finds mistakes in a declaration before anything is opened."""

import inspect
import keyword
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any

RESERVED = frozenset({"lifecycle", "ready", "settings"})  # on `app.state`


def is_sync(function: object) -> bool:
    """Whether it is surely no async function. A lambda may return the coroutine of one."""
    if not callable(function):
        return True
    while isinstance(function, partial):
        function = function.func
    named = inspect.isroutine(function) and function.__name__ != "<lambda>"
    asynchronous = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)
    return not asynchronous and (named or inspect.isclass(function))


def takes_one(function: Callable[..., Any]) -> bool:
    """Whether it can be called with one value."""
    try:
        inspect.signature(function).bind(None)
    except TypeError:
        return False
    except ValueError:  # a builtin that doesn't say
        pass
    return True


def of_name(name: object) -> Iterator[str]:
    """The name becomes an attribute of `app.state`."""
    if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
        yield "the name must be an identifier, as in Resource('postgres', …)"
    elif name in RESERVED or name.startswith("_"):
        yield f"the name must be none of {', '.join(sorted(RESERVED))}, and must not begin with an underscore"


def of_open(function: object) -> Iterator[str]:
    """Find the three usual mistakes with `@asynccontextmanager`."""
    inner = inspect.unwrap(function) if callable(function) else function
    if not callable(function) or isinstance(function, AbstractAsyncContextManager):
        yield f"open must be a function that gives an async context manager; it is {function!r}: don't call it"
    elif inspect.isasyncgenfunction(function):
        yield "open is an async generator: decorate it with @asynccontextmanager"
    elif inspect.iscoroutinefunction(function):
        yield "open must yield the value: decorate it with @asynccontextmanager, and `yield` what it returns"
    elif inspect.isgeneratorfunction(inner):
        yield "open is not async: decorate it with @asynccontextmanager, not @contextmanager, and make it `async def`"
    elif not takes_one(function):
        yield "open must take the application, as in `async def open_postgres(app)`"


def of_check(function: object, *, gates: bool) -> Iterator[str]:
    """Find mistakes in `check`, which is awaited with the value."""
    if function is None:
        if gates:
            yield "it gates readiness, but has no check"
    elif is_sync(function):
        yield "check must be async, as in `async def ping(engine)`"
    elif callable(function) and not takes_one(function):
        yield "check must take the value that was opened, as in `async def ping(engine)`"


def of_describe(function: object) -> Iterator[str]:
    """Find mistakes in `describe`, which is called with the value."""
    if function is not None and (not callable(function) or inspect.iscoroutinefunction(function)):
        yield "describe must be a function that is not async, and return a string"


def of_after(names: object) -> Iterator[str]:
    """Find a string instead of a tuple: a string is a sequence of strings, too."""
    if not isinstance(names, tuple) or not all(isinstance(each, str) for each in names):
        yield f"after must be a tuple of names, as in after=('postgres',); it is {names!r}"


def of_timeout(seconds: object) -> Iterator[str]:
    """Find anything but None or a number of seconds."""
    number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    if seconds is not None and not (number and 0 < seconds < math.inf):  # type: ignore[operator] # it is a number
        yield f"timeout must be None or seconds above 0; it is {seconds!r}"


def of_flags(**flags: object) -> Iterator[str]:
    """Find a flag that is no bool: `required="no"` would be true."""
    for name, value in flags.items():
        if not isinstance(value, bool):
            yield f"{name} must be True or False; it is {value!r}"
