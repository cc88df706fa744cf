"""How it fails on purpose: what `PUT /switches` says, obeyed at each token, by calls that are open too."""

import asyncio

from pydantic import BaseModel, ConfigDict, Field


class Switches(BaseModel):
    """All that can be switched; what isn't named is as by default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tokens_per_second: float = Field(50, gt=0, le=10_000)
    first_token_seconds: float = Field(0, ge=0, le=3600, description="silence before the first token")
    silent_after: int | None = Field(None, ge=0, description="after so many tokens none comes until this is off")
    cut_after: int | None = Field(None, ge=0, description="after so many tokens the connection is cut")
    status: int | None = Field(None, ge=400, le=599, description="calls get this error instead of an answer")
    retry_after: int | None = Field(None, ge=0, description="seconds, in the header of that error")


class Board:
    """The switches as they are now."""

    def __init__(self) -> None:
        self.now = Switches()
        self._changed = asyncio.Event()

    def set(self, switches: Switches) -> None:
        """Change them."""
        self.now = switches
        self._changed.set()
        self._changed = asyncio.Event()

    async def changed(self) -> None:
        """Return when they have been set again."""
        await self._changed.wait()
