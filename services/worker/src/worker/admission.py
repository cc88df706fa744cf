"""Decides who may join the queue: a request that can't end in time is refused at once, with what would fit."""

import math
from dataclasses import dataclass
from typing import ClassVar

from contract.lane import Lane
from warmstart.errors import Overloaded, PayloadTooLarge
from worker.speed import Speed

OLDEST = 0.75  # share of a batch for the requests that have waited longest
CERTAIN = 0.8  # share of the measured speed that remains while the worker refuses ten times its capacity


@dataclass(frozen=True)
class Demand:
    """A request before it is tokenized: its texts, its estimated tokens, and those of the call that it is part of."""

    unit: ClassVar[str] = "tokens"

    texts: int
    tokens: int
    call_tokens: int = 0
    lane: Lane = Lane.INTERACTIVE

    def size(self, tokens: int) -> str:
        """So many tokens in words."""
        return f"about {tokens} tokens"

    def fitting(self, tokens: float) -> str:
        """So many tokens in words, and how many texts of this request's size they are."""
        texts = int(tokens * self.texts / max(1, self.tokens))
        return f"{self.size(int(tokens))}, {texts} texts of this size," if texts > 0 else "not one text of this size"


@dataclass(frozen=True)
class Ahead:
    """What a request would wait for, in tokens.

    `waiting` are in the queue and `taken` have left it: they are computed at a `share` of the speed. `running` are of
    the pass under way, which nothing slows.
    """

    waiting: int
    taken: int = 0
    running: int = 0
    share: float = 1.0

    def at_full_speed(self, tokens: int) -> float:
        """How many tokens the engine computes until so many `tokens` behind these are done."""
        return self.running + (self.taken + self.waiting + tokens) / self.share


@dataclass(frozen=True)
class Admission:
    """Judges by the measured speed; `limit` and `batch` are tokens, `longest` is the seconds of a whole request.

    A batch has at most `batch` tokens, and at most as many as take `portion` seconds.
    """

    speed: Speed
    limit: int
    batch: int
    longest: float
    portion: float = math.inf

    @property
    def budget(self) -> int:
        """The tokens of a batch, at the speed of now."""
        return max(1, int(min(self.batch, self.speed.tokens_in(self.portion))))

    def check(self, demand: Demand, seconds: float, ahead: Ahead) -> None:
        """Let a request with so many `seconds` left in behind what is `ahead` of it.

        The request must end in time even if it gets only `OLDEST` of the `CERTAIN` speed. An empty queue takes one
        batch at any speed: it measures the speed again, in case the measured one is wrong. Raises PayloadTooLarge when
        even an idle worker could not finish the whole call, Overloaded when it could.
        """
        in_time = (self._tokens_in(seconds) - ahead.running) * ahead.share - ahead.taken
        room, batch = min(self.limit, in_time) - ahead.waiting, self.budget
        most = max(batch, min(self.limit, self._tokens_in(self.longest)))
        whole = max(demand.tokens, demand.call_tokens)
        if whole <= most and (demand.tokens <= room or (not ahead.waiting and demand.tokens <= batch)):
            return
        if whole > most:
            raise self._too_large(demand, whole, most)
        raise self._overloaded(demand, seconds, ahead, room)

    def _too_large(self, demand: Demand, whole: int, most: float) -> PayloadTooLarge:
        bound = f"{self._may_take(whole)} of a request's {self.longest:.1f} s"
        if most == self.limit:
            bound = f"the limit is {self.limit}"
        message = f"a call of {demand.size(whole)} is too large: {bound}; {demand.fitting(most)} would fit"
        return PayloadTooLarge(message, code=f"too_many_{demand.unit}")

    def _overloaded(self, demand: Demand, seconds: float, ahead: Ahead, room: float) -> Overloaded:
        bound = f"{self._may_take(ahead.at_full_speed(demand.tokens))} of the {seconds:.1f} s left"
        if room == self.limit - ahead.waiting:
            bound = f"the limit is {self.limit}"
        fitting = demand.fitting(max(0, room))
        message = f"{ahead.waiting} {demand.unit} wait already; {bound}; {fitting} would fit now"
        return Overloaded(message, retry_after=self.speed.seconds_for(ahead.waiting / ahead.share))

    def _tokens_in(self, seconds: float) -> float:
        return self.speed.tokens_in(seconds) * OLDEST * CERTAIN

    def _may_take(self, tokens: float) -> str:
        return f"it may take {self.speed.seconds_for(tokens) / (OLDEST * CERTAIN):.1f} s"
