"""How far the replacement of a model is, which Postgres knows, and what a stack may do meanwhile."""

import logging
import subprocess
from collections.abc import Callable

from stack.errors import StackError
from stack.interface import NEXT
from stack.models import VARIABLE, same
from stack.pgserver import psql
from stack.site import Site

ASK_SECONDS = 10.0
CUT_OVER = "SELECT served = new FROM replacement WHERE ended IS NULL"  # the table of `api.store.replacement`

log = logging.getLogger(__name__)


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
    return answer(done.stdout)


def answer(printed: str) -> bool | None:
    """What psql printed for CUT_OVER."""
    return {"t": True, "f": False}.get(printed.strip())


def require_cut_over(done: bool | None, model: str, named: str) -> None:
    """Make sure that the worker may lose its own model.

    Args:
        done: whether searches use the next model; None while no model is being replaced.
        model: what the worker is to serve.
        named: EMBEDDING_MODEL as the user has it, which counts above what is written down; empty if there is none.

    Raises:
        StackError: searches need the worker's model, or the next `up` would serve another one than `model`.
    """
    if not done:
        why = "no model is being replaced" if done is None else "searches use it until the cut-over"
        raise StackError(f"the worker keeps its model: {why}")
    if named and not same(named, model):
        raise StackError(
            f"the worker keeps its model: {VARIABLE}={named}, and make up would serve that: change it first"
        )


def require_none_under_way(look: Callable[[], bool | None], known: str) -> None:
    """Make sure that nobody needs the workers of `known`; `look` is `Stack.next_serves`. Raises StackError."""
    try:
        needed = look() is not None
    except StackError:
        needed = True
    if needed:
        raise StackError(f"{NEXT} is there for {known}: finish or abandon that first (python -m stack reindex)")


def attempt(start: Callable[[], None]) -> StackError | None:
    """Start `worker-next`; returns why it didn't start. The rest can run without it, and be led back to its own model.

    It comes before the api, which then finds it at once. What its absence means Postgres knows, hence `judge` later.
    """
    try:
        start()
    except StackError as error:
        return error
    return None


def judge(failure: StackError, look: Callable[[], bool | None]) -> None:
    """Say that `worker-next` didn't start, while the rest did; `look` is `Stack.next_serves`.

    Raises:
        StackError: searches may need it.
    """
    try:
        needed = look()
    except StackError:
        needed = True
    if needed:
        raise StackError(
            f"{failure}\nEverything else runs, but searches use {NEXT}. Mend what is wrong and make up again, or go"
            " back to the worker's model: make reindex STEP=roll-back"
        ) from failure
    log.warning("%-9s doesn't start; until the cut-over no search needs it: %s", NEXT, failure)
