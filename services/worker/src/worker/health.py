"""Whether an engine or an estimator works, judged by the results of its passes."""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from time import perf_counter

import numpy as np

from warmstart.apart import apart
from warmstart.errors import Unavailable
from warmstart.lifecycle.health import reason
from worker.engines.base import Engine, TokenIds, Vectors
from worker.work import Computer, Work

log = logging.getLogger("worker.health")


def before_pass(engine: Engine, inputs: Sequence[TokenIds]) -> None:
    """Runs in the thread before each pass; fault switches put something else here."""


def embed(engine: Engine, inputs: Sequence[TokenIds]) -> Vectors:
    """One forward pass. Raises ValueError unless it gave a finite vector for each input, or what the engine raises."""
    before_pass(engine, inputs)
    rows = engine.embed(inputs)
    if rows.shape != (len(inputs), engine.dimensions) or not np.isfinite(rows).all():
        raise ValueError(f"the engine gave no finite vector for each text: {rows.shape}")
    return rows


class EngineHealth:
    """The health of one engine, whose passes run on `executor`. Used on the event loop only.

    A failed pass, or a failed tokenizer, makes the engine suspect, since the input may be at fault. Then a pass of a
    known input decides, and is repeated until one succeeds; until then the engine is broken. A pass that runs for
    longer than `limit` seconds is stuck. A thread can't be cancelled; if the pass ends by itself, the engine is healthy
    again.
    """

    def __init__(self, engine: Computer, executor: Executor, limit: float, work: Work) -> None:
        self._engine = engine
        self._work = work
        self._executor = executor
        self._limit = limit
        self._suspect = False
        self._broken: str | None = None
        self._pass_began: float | None = None
        self._trial_began: float | None = None  # a pass of a known input, set on its thread
        self._trying: asyncio.Task[None] | None = None

    @contextmanager
    def watching(self, *, proves: bool = True) -> Iterator[None]:
        """Watch a pass. Exceptions go on. One of a caller's texts `proves`, when it succeeds, that the engine works."""
        self._pass_began = perf_counter()
        try:
            yield
        except Exception:
            self.doubt()
            raise
        else:
            if proves:
                self._succeeded()
        finally:
            self._pass_began = None

    def doubt(self) -> None:
        """Note a failure that may be the fault of a text, or of the engine."""
        self._suspect = True

    @property
    def stuck(self) -> str | None:
        """How long the running pass has taken, if that is too long."""
        began = [each for each in (self._pass_began, self._trial_began) if each is not None]
        seconds = perf_counter() - min(began) if began else 0.0
        return f"{self._work.one} has been running for {seconds:.0f} s" if seconds > self._limit else None

    def check(self) -> None:
        """Raise Unavailable when the engine is stuck or broken. May start a pass of a known input; never waits."""
        if self.stuck:
            raise Unavailable(self.stuck, retry_after=1)
        if self._suspect and (self._trying is None or self._trying.done()):
            self._trying = apart(self._try(), "pass of a known input")
        self._check_result()

    async def prove(self) -> None:
        """Compute a known input, in the place of a caller's pass. Raises Unavailable when that fails."""
        with self.watching(proves=False):
            await self._try()
        self._check_result()

    def _check_result(self) -> None:
        if self._broken:
            raise Unavailable(f"{self._work.several} fail: {self._broken}", retry_after=1)

    async def _try(self) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._executor, self._known_pass)
        except Exception as error:
            if not self._broken:
                log.error(
                    "%s of a known input failed, too: %s is broken", self._work.one, self._work.model, exc_info=error
                )
            self._broken = reason(error)
        else:
            self._succeeded()

    def _known_pass(self) -> None:
        self._trial_began = perf_counter()
        try:
            self._work.compute(self._engine, self._work.known(self._engine))
        finally:
            self._trial_began = None

    def _succeeded(self) -> None:
        if self._broken:
            log.warning("%s succeeded: %s works again", self._work.one, self._work.model)
        self._suspect, self._broken = False, None
