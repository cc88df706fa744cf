"""The world of the sample service (libs/warmstart/tests/apps/sample.py): its dependencies are files."""

from collections.abc import Callable
from pathlib import Path

from tests.harness.gunicorn import Gunicorn

Start = Callable[..., Gunicorn]


class World:
    """The dependencies of apps/sample.py: one file each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def up(self, *names: str) -> None:
        """Let dependencies (or faults) appear."""
        for name in names:
            (self.folder / name).touch()

    def down(self, *names: str) -> None:
        """Let them vanish."""
        for name in names:
            (self.folder / name).unlink()

    def model(self, content: float | str) -> None:
        """The model's load time in seconds, or `altered`."""
        (self.folder / "model").write_text(str(content))

    def trace(self) -> list[str]:
        """What was opened and closed, in order."""
        trace = self.folder / "trace"
        return [line.split(" ", 1)[1] for line in trace.read_text().splitlines()] if trace.exists() else []
