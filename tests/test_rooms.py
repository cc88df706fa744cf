"""Who may import whom: the library's rooms, the repository's folders, and no circle anywhere."""

from collections.abc import Collection, Iterator, Mapping

import pytest

from tests.imports import circle, graph, imports, modules

FRAMEWORKS = {"fastapi", "starlette", "gunicorn", "uvicorn", "httptools", "uvloop"}
SERVERS = {"gunicorn", "uvicorn", "httptools", "uvloop"}
# Of the library: what else of it a part may import.
ROOMS: Mapping[str, Collection[str]] = {
    "warmstart.errors": (),
    "warmstart.settings": (),
    "warmstart.request_id": (),
    "warmstart.security_headers": (),
    "warmstart.logs": ("warmstart.request_id", "warmstart.settings", "warmstart.traces"),
    "warmstart.traces": ("warmstart.lifecycle", "warmstart.settings"),
    "warmstart.lifecycle": ("warmstart.errors", "warmstart.settings"),
    "warmstart.pod": (
        "warmstart.errors",
        "warmstart.lifecycle",
        "warmstart.logs",
        "warmstart.request_id",
        "warmstart.security_headers",
        "warmstart.settings",
    ),
    "warmstart.http": (
        "warmstart.errors",
        "warmstart.lifecycle",
        "warmstart.request_id",
        "warmstart.security_headers",
        "warmstart.settings",
        "warmstart.traces",
    ),
    "warmstart.faults": ("warmstart.errors", "warmstart.lifecycle", "warmstart.settings"),
    "warmstart.faults_route": ("warmstart.faults",),
}
# What a part must not import, nor anything that it imports.
FORBIDDEN: Mapping[str, Collection[str]] = {
    "warmstart.settings": FRAMEWORKS,
    "warmstart.errors": FRAMEWORKS - {"starlette"},
    "warmstart.lifecycle": FRAMEWORKS - {"starlette"},  # starlette.exceptions, through the errors
    "warmstart.pod": {"fastapi"},  # gunicorn's master imports it
    "warmstart.http": SERVERS,
    "warmstart": {"api", "worker", "contract", "stack", "loadtest", "drills", "tests", "k8s", "deploy", "examples"},
    "contract": {"api", "worker", "stack", "loadtest", "drills", "tests", "k8s", "deploy", "examples"},
    "api": {"worker", "stack", "loadtest", "drills", "tests", "k8s", "deploy", "examples"},
    "worker": {"api", "stack", "loadtest", "drills", "tests", "k8s", "deploy", "examples"},
}
EDGES = graph(modules())


def within(name: str, part: str) -> bool:
    """Whether a module is `part`, or below it."""
    return name == part or name.startswith(f"{part}.")


def trespasses(edges: Mapping[str, Collection[str]]) -> Iterator[str]:
    """Imports of the library's modules that their room does not allow."""
    for name, imported in edges.items():
        for room, others in ROOMS.items():
            if within(name, room):
                allowed = (room, *others)
                own = (each for each in imported if within(each, "warmstart") and each != "warmstart")
                yield from (f"{name} imports {each}" for each in own if not any(within(each, one) for one in allowed))


def leaks(edges: Mapping[str, Collection[str]]) -> Iterator[str]:
    """Paths by which a part comes to import what it must not."""
    for part, forbidden in FORBIDDEN.items():
        todo: list[tuple[str, ...]] = [(name,) for name in edges if within(name, part)]
        seen: set[str] = set()
        while todo:
            path = todo.pop()
            for each in edges[path[-1]]:
                if each.partition(".")[0] in forbidden:
                    yield " -> ".join((*path, each))
                if each in edges and each not in seen:
                    seen.add(each)
                    todo.append((*path, each))


def test_the_rooms_of_the_library_import_what_they_may() -> None:
    """Lifecycle knows neither HTTP nor gunicorn, pod no HTTP, and nothing of the library its fault switches."""
    assert list(trespasses(EDGES)) == []


def test_nothing_reaches_what_it_must_not_know() -> None:
    """gunicorn's master imports no FastAPI, the library no service, and no service another, or a tool."""
    assert list(leaks(EDGES)) == []


def test_no_modules_import_each_other() -> None:
    """In the whole repository there is no circle of imports."""
    assert circle(EDGES) == []


@pytest.mark.parametrize(
    ("name", "imported"),
    [
        ("warmstart.lifecycle.lifespan", "warmstart.pod.board"),
        ("warmstart.lifecycle.lifespan", "warmstart.http.probes"),
        ("warmstart.lifecycle.lifespan", "warmstart.faults"),
        ("warmstart.pod.master", "warmstart.http.errors"),
        ("warmstart.settings.service", "warmstart.pod.process"),
        ("warmstart.http.probes", "warmstart.pod.board"),
    ],
)
def test_a_trespass_is_found(name: str, imported: str) -> None:
    """One import that a room does not allow fails the test above."""
    assert list(trespasses({**EDGES, name: {imported}})) == [f"{name} imports {imported}"]


@pytest.mark.parametrize(
    ("name", "imported", "path"),
    [
        ("warmstart.pod.board", "fastapi", "warmstart.pod.board -> fastapi"),
        ("warmstart.lifecycle.phase", "gunicorn.arbiter", "warmstart.lifecycle.phase -> gunicorn.arbiter"),
        ("warmstart.http.head", "uvicorn", "warmstart.http.head -> uvicorn"),
        ("api.app", "worker.app", "api.app -> worker.app"),
        ("contract.call", "stack", "contract.call -> stack"),
    ],
)
def test_a_leak_is_found(name: str, imported: str, path: str) -> None:
    """One import of a module that must not be known fails the test above, with the path to it."""
    assert path in list(leaks({**EDGES, name: {imported}}))


def test_a_circle_is_found() -> None:
    """Two modules that import each other fail the test above, whatever lies between them."""
    found = circle({"a": {"b"}, "b": {"c", "d"}, "c": {"a"}, "d": set()})
    assert (set(found), len(found)) == ({"a", "b", "c"}, 4)


def test_an_import_counts_when_it_is_made_at_once() -> None:
    """In a class, in `try` and relative ones count; those in functions and for the type checker do not."""
    source = """
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import a
try:
    from . import b
except ImportError:
    from ..c import d
class E:
    from f import g
def h():
    import i
"""
    assert imports(source, "x.y", {"x.y.b"}) == {"typing", "x.y.b", "x.c", "f"}
