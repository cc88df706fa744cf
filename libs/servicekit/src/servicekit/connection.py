"""One HTTP connection: when the server stops, one that has not asked yet may still ask."""

from servicekit.upgrade import Upgradable

FIRST_REQUEST_SECONDS = 1.0  # far more than the packet after the handshake takes


class Connection(Upgradable):
    """uvicorn's, without the reset of a connection that was accepted just before the end.

    uvicorn closes at once each on which no request was parsed (field note 22); one that is on its way is then lost.
    """

    def shutdown(self) -> None:
        """Called by the server when it stops accepting. What is answered from now on says `Connection: close`."""
        if self.cycle:  # type: ignore[truthy-bool] # None before the first request
            super().shutdown()
        else:
            self.loop.call_later(FIRST_REQUEST_SECONDS, super().shutdown)
