"""What the api shows to the worker: `WORKER_SECRET`, of which several values count while it is rotated."""

from pydantic import SecretStr

from api.settings import ApiSettings
from warmstart.settings.service import words, words_of

HEADER = "Authorization"
REFUSED = (401, 403)


class WorkerSecret:
    """The value to send. When the worker refuses it, the secret's file is read again, and the next value is sent."""

    def __init__(self, settings: ApiSettings | None = None) -> None:
        self._settings = settings
        self._given: SecretStr | None = None
        self._read: list[str] = []

    @property
    def _values(self) -> list[str]:
        """They are read again when a vault has put another secret into the settings."""
        given = self._settings.worker_secret if self._settings else None
        if given is not self._given:
            self._given, self._read = given, words_of(given)
        return self._read

    @property
    def headers(self) -> dict[str, str]:
        """Those that a call has because of it."""
        return {HEADER: f"Bearer {self._values[0]}"} if self._values else {}

    @property
    def number(self) -> int:
        """How many values there are: after so many refusals none of them is the worker's."""
        return len(self._values)

    def refused(self, sent: str | None) -> None:
        """The worker has refused what was sent. Another call may have learnt that before."""
        if sent != self.headers.get(HEADER):
            return
        read = words((self._settings and self._settings.read_again("worker_secret")) or "")
        if read and set(read) != set(self._values):
            self._read = read
        else:
            self._read = [*self._values[1:], *self._values[:1]]
