"""Tasks of no request, though one happens to start them."""

import asyncio
from collections.abc import Coroutine
from contextvars import Context
from typing import Any, TypeVar

T = TypeVar("T")


def apart(work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
    """Begin `work` without the id and the span of the current request, which would go on in log lines and traces."""
    return asyncio.create_task(work, name=name, context=Context())
