"""What the job says: lines, and on a terminal a last line that shows how far it has come."""

import sys
from typing import TextIO

BAR = 24  # characters


class Output:
    """Lines on `stream`. No text of a document and no secret is given to it."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self.terminal = self._stream.isatty()
        self._shown = 0  # width of the progress that stands on the last line

    def line(self, said: str) -> None:
        """Say something that stays."""
        self._write(f"{said:<{self._shown}}\n")
        self._shown = 0

    def progress(self, share: float, said: str) -> None:
        """Say how far it has come: on a terminal in place of what was said before."""
        if not self.terminal:
            self._write(f"{said}\n")
            return
        shown = f"[{'#' * int(share * BAR):.<{BAR}}] {said}"
        self._write(f"{shown:<{self._shown}}\r")
        self._shown = len(shown)

    def _write(self, said: str) -> None:
        self._stream.write(said)
        self._stream.flush()
