"""Where a stack keeps its things."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stack.interface import Part
from stack.secrets import Secrets

REPOSITORY = Path(__file__).resolve().parent.parent
DEFAULT_ROOT = REPOSITORY / ".warmstart"


@dataclass(frozen=True)
class Site:
    """The folder, ports and passwords of one stack."""

    root: Path
    ports: Mapping[Part, int]
    secrets: Secrets

    @property
    def data(self) -> Path:
        """What outlives `down`."""
        return self.root / "data"

    @property
    def run(self) -> Path:
        """What says which processes are ours, and how they are configured."""
        return self.root / "run"

    @property
    def logs(self) -> Path:
        """One file a part."""
        return self.root / "logs"

    def make_folders(self) -> None:
        """Create what is missing; nobody else may look into it."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.data, self.run, self.logs):
            folder.mkdir(exist_ok=True)
