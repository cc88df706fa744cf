"""Finds the resources that an application's routes need: one that no Lifecycle opens is an error at start."""

from collections.abc import Iterable, Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute

from warmstart.http.dependencies import Opened, OpenedOrNone
from warmstart.lifecycle.lifespan import Lifecycle

Wanted = Opened[Any] | OpenedOrNone[Any]


def check_opened(app: FastAPI, lifecycle: Lifecycle) -> None:
    """Raise ValueError for a route with `opened(resource)` whose resource the Lifecycle does not open.

    An overridden dependency passes.
    """
    names = lifecycle.supervisors
    for path, wanted in _wanted(app.routes, "", app.dependency_overrides):
        name = wanted.resource.name
        if name not in names:
            raise ValueError(f"{path} wants opened({name!r}), but the Lifecycle opens {', '.join(names) or 'nothing'}")


def _wanted(routes: Iterable[BaseRoute], prefix: str, overridden: Any) -> Iterator[tuple[str, Wanted]]:
    """With the path of each; a mounted application has overrides of its own."""
    for each in iter_route_contexts(list(routes)):
        path = prefix + (each.path or "")
        if isinstance(dependant := getattr(each, "dependant", None), Dependant):
            yield from ((path, wanted) for wanted in _dependencies(dependant) if wanted not in overridden)
        elif mounted := getattr(each, "routes", None):
            yield from _wanted(mounted, path, getattr(getattr(each, "app", None), "dependency_overrides", overridden))


def _dependencies(dependant: Dependant) -> Iterator[Wanted]:
    if isinstance(dependant.call, Opened | OpenedOrNone):
        yield dependant.call
    for each in dependant.dependencies:
        yield from _dependencies(each)
