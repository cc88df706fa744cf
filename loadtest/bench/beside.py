"""Measures a running system and its limit in turns: both are there at the same time, and each waits for the other."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from loadtest.bench.case import BLOCKS, C32, CACHED, CASES, TURNS
from loadtest.bench.cases import Row
from loadtest.bench.in_turns import Side, in_turns, server
from loadtest.bench.limits import Limit
from loadtest.bench.ready import first_embedding
from loadtest.bench.systems import Running, System, named
from loadtest.bench.texts import BLOCK, block

LIMIT_PREFIX = "limit-"
BARE = "bare-fastapi"  # the limit of cache hits


@contextmanager
def started(limit: str, folder: Path, round_: int) -> Iterator[Side]:
    """The limit, when it has embedded its first text. Raises ServerEnded or StackError."""
    if limit.startswith(LIMIT_PREFIX):
        with Limit(limit.removeprefix(LIMIT_PREFIX), folder, round_) as process:
            yield process.turn
        return
    system, own = named(limit), folder / limit
    own.mkdir()
    with system.launch(own) as running:
        first_embedding(running.port, system.dialect, running.check)
        yield server(running.port, system.dialect, block(round_ * BLOCKS))


def beside(limit: Side, system: System, running: Running, round_: int, scale: float) -> Row:
    """By figure, what `in_turns` finds. Raises what a side raises."""
    hits = system.cache == "hit"
    cases = (C32,) if hits else CASES
    number = round_ * BLOCKS + (CASES.index(C32) if hits else TURNS)  # what this case has sent is cached by now
    ours = server(running.port, system.dialect, block(number, CACHED if hits else BLOCK))
    return {case.figure: in_turns(ours, limit, case, scale) for case in cases}
