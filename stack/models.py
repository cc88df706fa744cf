"""Which models a stack serves, written down in its folder: a later start serves the same."""

import json
import subprocess

from stack.errors import StackError
from stack.interface import NEXT
from stack.pgserver import psql
from stack.site import Site

VARIABLE = "EMBEDDING_MODEL"
ASK_SECONDS = 10.0
CUT_OVER = "SELECT served = new FROM replacement WHERE ended IS NULL"  # the table of `api.store.replacement`


class Models:
    """The names, as EMBEDDING_MODEL has them; empty ones were never given.

    Args:
        site: of the stack; its folder gets the file.
        kind: of the stack, since each kind has documents of its own.
    """

    def __init__(self, site: Site, kind: str) -> None:
        self._file = site.root / f"models-{kind}.json"

    @property
    def served(self) -> str:
        """That of the worker at its last start by `up`, or since the last replacement."""
        return self._read().get("served", "")

    @property
    def next(self) -> str:
        """That of `worker-next`, while a model is being replaced."""
        return self._read().get("next", "")

    def note(self, **names: str) -> None:
        """Write down `served` or `next`, or both; the other stays."""
        self._file.write_text(json.dumps({**self._read(), **names}))

    def _read(self) -> dict[str, str]:
        try:
            found: dict[str, str] = json.loads(self._file.read_text())
        except (OSError, ValueError):
            return {}
        return found


def cut_over(site: Site, port: int) -> bool | None:
    """Whether searches use the next model; None while no model is being replaced.

    Raises:
        StackError: the Postgres on this port can't tell.
    """
    try:
        done = psql(CUT_OVER, port, site.secrets.postgres, ASK_SECONDS)
    except subprocess.TimeoutExpired:
        raise StackError(f"Postgres didn't answer within {ASK_SECONDS:g} s") from None
    if done.returncode != 0:
        raise StackError(f"Postgres doesn't tell whether a model is being replaced: {done.stderr.strip()}")
    return {"t": True, "f": False}.get(done.stdout.strip())


def require_cut_over(site: Site, port: int, model: str, named: str) -> None:
    """Make sure that the worker may lose its own model.

    Args:
        site: of the stack.
        port: of its Postgres.
        model: what the worker is to serve.
        named: EMBEDDING_MODEL as the user has it, which counts above what is written down; empty if there is none.

    Raises:
        StackError: searches need the worker's model, or the next `up` would serve another one than `model`.
    """
    done = cut_over(site, port)
    if not done:
        why = "no model is being replaced" if done is None else "searches use it until the cut-over"
        raise StackError(f"the worker keeps its model: {why}")
    if named not in ("", model):
        raise StackError(
            f"the worker keeps its model: {VARIABLE}={named}, and make up would serve that: change it first"
        )


def require_none_under_way(site: Site, port: int, known: str) -> None:
    """Make sure that nobody needs the workers of `known`, which are still there. Raises StackError."""
    try:
        needed = cut_over(site, port) is not None
    except StackError:
        needed = True
    if needed:
        raise StackError(f"{NEXT} is there for {known}: finish or abandon that first (python -m stack reindex)")
