"""What the repository's modules import while they are imported: edges of a graph, read from the source."""

import ast
from collections.abc import Collection, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[1]
# Where the modules of each package are found.
ROOTS = ("libs/warmstart/src", "libs/contract/src", "services/api/src", "services/worker/src", ".")
FOLDERS = ("libs", "services", "stack", "loadtest", "drills", "tests", "k8s", "deploy", "examples", "observability")


def modules(repository: Path = REPOSITORY) -> dict[str, Path]:
    """All modules of the repository by name; of a folder that no root holds, from the repository on."""
    found = {}
    for folder in FOLDERS:
        for file in sorted((repository / folder).rglob("*.py")):
            root = next(repository / each for each in ROOTS if file.is_relative_to(repository / each))
            parts = file.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def imports(source: str, package: str, known: Collection[str] = ()) -> set[str]:
    """What a module imports while it is imported itself: not in a function, nor for the type checker alone.

    Args:
        source: the module's text.
        package: the one it stands in, or is.
        known: modules, to tell the module `b` of `from a import b` from a name that `a` defines.
    """
    found = set()
    for home, name in _in(ast.parse(source).body, package):
        found.add(f"{home}.{name}" if f"{home}.{name}" in known else home)
    return found


def _in(body: list[Any], package: str) -> Iterator[tuple[str, str]]:
    for node in body:
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: package.count(".") + 2 - node.level] if node.level else []
            yield from ((".".join([*above, *filter(None, [node.module])]), alias.name) for alias in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from _in(node.orelse, package)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for field in ("body", "orelse", "finalbody", "handlers"):
                yield from _in(getattr(node, field, []), package)


def graph(files: Mapping[str, Path]) -> dict[str, set[str]]:
    """What each module imports, other packages included."""
    return {
        name: imports(file.read_text(), name if file.name == "__init__.py" else name.rpartition(".")[0], files)
        for name, file in files.items()
    }


def circle(edges: Mapping[str, set[str]]) -> list[str]:
    """Modules that import each other, the first of them again at the end; empty when there are none."""
    try:
        TopologicalSorter({name: imported & edges.keys() for name, imported in edges.items()}).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []
