"""Paths as the application knows them."""

from collections.abc import Collection

from starlette._utils import get_route_path
from starlette.types import Scope


def path_of(scope: Scope) -> str:
    """The request's path without the prefix that a proxy put before it (`--root-path`)."""
    return get_route_path(scope)


class OpenPaths:
    """Paths named one by one. A path that ends in `/`, except `/` itself, stands for all paths below it."""

    def __init__(self, paths: Collection[str]) -> None:
        self._exact = frozenset(paths)
        self._prefixes = tuple(path for path in paths if path.endswith("/") and path != "/")

    def __contains__(self, path: str) -> bool:
        return path in self._exact or path.startswith(self._prefixes)
