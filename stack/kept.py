"""The documents of a cluster's Postgres, in a file here from the end of one pod to the start of the next."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from stack import inside
from stack.errors import StackError
from stack.kubectl import Kubectl

log = logging.getLogger(__name__)

HELD = "warmstart/held"  # a label of no pod
BACK = "scale the deployment to 0 by kubectl, then start postgres"
COPY_SECONDS = 600.0  # of all documents, through the API server


class Kept:
    """What was saved and not restored yet.

    Args:
        file: where it is.
        kubectl: of the cluster.
    """

    def __init__(self, file: Path, kubectl: Kubectl) -> None:
        self._file = file
        self._kubectl = kubectl

    def __bool__(self) -> bool:
        return self._file.exists()

    def save(self, pod: str) -> None:
        """Save the documents of a pod.

        Raises:
            StackError: they couldn't be saved, or others were saved before and never restored: neither is to be lost.
        """
        if self:
            raise StackError(
                f"no start has restored the documents in {self._file}, and the running Postgres may have newer ones: "
                f"to keep those, move the file away first; to go back to the file, {BACK}"
            )
        text = self._kubectl.run("exec", pod, "--", *inside.DUMP, timeout=COPY_SECONDS)
        unfinished = self._file.with_suffix(".new")
        unfinished.touch(mode=0o600)
        unfinished.write_text(text)
        unfinished.replace(self._file)

    def warn(self) -> None:
        """Say what no start has restored: Postgres was started in another way, with other documents or none."""
        if self:
            log.warning("%-9s runs without the documents in %s, which no start has restored", "postgres", self._file)
            log.warning("%-9s to go back to them, %s; make k8s-down deletes them", "", BACK)

    @contextmanager
    def restored(self, pod: Callable[[], str]) -> Iterator[None]:
        """Restore the documents into the pod that starts inside, before any client reaches it.

        It makes a schema by itself: if it were ready at once, clients would see an empty database. Until the documents
        are back, its Service selects a label that no pod has.
        """
        self._select({HELD: "yes"})
        try:
            yield
            command = ("exec", "--stdin", pod(), "--", *inside.RESTORE)
            self._kubectl.run(*command, text=self._file.read_text(), timeout=COPY_SECONDS)
            self.discard()
        finally:
            self._select({HELD: None})

    def discard(self) -> None:
        """Delete what was saved."""
        self._file.unlink(missing_ok=True)

    def _select(self, labels: Mapping[str, str | None]) -> None:
        """Change which pods the Service leads to; None takes a label out again."""
        patch = json.dumps({"spec": {"selector": labels}})
        self._kubectl.run("patch", "service", "postgres", "--patch", patch)
