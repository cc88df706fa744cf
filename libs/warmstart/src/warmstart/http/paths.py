"""Paths as the application knows them."""

from collections.abc import Collection

from starlette._utils import get_route_path
from starlette.types import Scope


def path_of(scope: Scope) -> str:
    """The request's path without the prefix that a proxy put before it (`--root-path`)."""
    return get_route_path(scope)


def logged_path(scope: Scope) -> str:
    """The path for a log line, as it was sent: a decoded one could contain line ends, and forge log lines."""
    return (scope.get("raw_path") or path_of(scope).encode()).decode("ascii", "backslashreplace")


class OpenPaths:
    """Paths named one by one. A path that ends in `/`, except `/` itself, stands for all paths below it."""

    def __init__(self, paths: Collection[str]) -> None:
        self._exact = frozenset(paths)
        self._prefixes = tuple(path for path in paths if path.endswith("/") and path != "/")

    def __contains__(self, path: str) -> bool:
        return path in self._exact or path.startswith(self._prefixes)
