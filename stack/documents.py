"""The volume of a compose project's documents, and the clone of the repository that they belong to."""

from pathlib import Path

from stack.docker import PROJECT, VOLUME, docker
from stack.errors import StackError
from stack.site import REPOSITORY

FOLDER = "warmstart.folder"  # a label: compose's own say the project, whose name is the same in every clone
SHORT = "postgres"  # the volume's name in compose.yaml


class Documents:
    """They outlive the containers. Whose they are say the containers' labels, and later the volume's own."""

    def __init__(self, project: str) -> None:
        self._project = project
        self.volume = f"{project}_{SHORT}"

    def claim(self) -> None:
        """Make the volume with its label, unless it is there. Compose would make it without.

        Raises:
            StackError: it is another clone's.
        """
        labels = {PROJECT: self._project, VOLUME: SHORT, FOLDER: str(REPOSITORY)}
        docker("volume", "create", *(f"--label={name}={value}" for name, value in labels.items()), self.volume)
        if other := self.other():
            raise StackError(
                f"volume {self.volume} has the documents of {other}: set COMPOSE_PROJECT_NAME, and other ports, here"
            )

    def other(self) -> str:
        """The folder of the clone whose documents they are; empty if that is this one, is gone, or was never noted."""
        form = f'{{{{.Name}}}}\t{{{{.Label "{FOLDER}"}}}}'
        for line in docker("volume", "ls", "--filter", f"name={self.volume}", "--format", form).splitlines():
            name, folder = line.split("\t")
            if name == self.volume and folder not in ("", str(REPOSITORY)) and Path(folder).is_dir():
                return folder
        return ""
