"""Which models a stack serves, written down in its folder: a later start serves the same."""

import json
import os
from pathlib import Path

from stack.errors import StackError
from stack.site import DEFAULT_ROOT, MODELS, REPOSITORY, Site

VARIABLE = "EMBEDDING_MODEL"
DEFAULT_MODEL = "all-MiniLM-L6-v2"


class Models:
    """The names, as EMBEDDING_MODEL has them; empty ones were never given. All raise StackError for a damaged file.

    Args:
        site: of the stack; its folder gets the file.
        kind: of the stack, since each kind has documents of its own.
    """

    def __init__(self, site: Site, kind: str) -> None:
        self._file = site.root / f"models-{kind}.json"

    @property
    def served(self) -> str:
        """That of the worker at its last start by `up`, or since the last replacement."""
        return self._read().get("served", "")

    @property
    def next(self) -> str:
        """That of `worker-next`, while a model is being replaced."""
        return self._read().get("next", "")

    def note(self, **names: str) -> None:
        """Write down `served` or `next`, or both; the other stays. The file is replaced as a whole."""
        unfinished = self._file.with_suffix(".new")
        unfinished.write_text(json.dumps({**self._read(), **names}))
        unfinished.replace(self._file)

    def require_served(self, named: str) -> None:
        """Make sure that a worker started with `named` has the model that a replacement under way counts on.

        Raises:
            StackError: it would serve another one, and searches or the way back need the former.
        """
        if self.next and named and not same(named, self.served):
            served = self.served or DEFAULT_MODEL
            raise StackError(
                f"{VARIABLE}={named}, but {self.next} is replacing {served}, which the worker must serve until then:"
                f" leave {VARIABLE} unset, or finish or abandon that first (make reindex STEP=status)"
            )

    def _read(self) -> dict[str, str]:
        try:
            found = json.loads(self._file.read_text())
        except FileNotFoundError:
            return {}
        except ValueError:
            found = None
        if not isinstance(found, dict) or not all(isinstance(each, str) for each in found.values()):
            raise StackError(
                f'{self._file} can\'t be read: write {{"served": "…"}} into it, with the {VARIABLE} served'
            )
        return found


def is_default(model: str) -> bool:
    """Whether a worker that is told nothing serves it; no name is the default model's, too."""
    return model.removeprefix("sentence-transformers/") in ("", DEFAULT_MODEL)


def same(one: str, other: str) -> bool:
    """Whether both name one model."""
    return one == other or (is_default(one) and is_default(other))


def of_artifact(model: str) -> str:
    """The name that is written down: of a folder that was exported its artifact's, which outlives the folder."""
    folder = REPOSITORY / model
    name = Path(os.path.abspath(folder)).name  # noqa: PTH100 - resolve() would follow links, whose own name counts
    artifacts = REPOSITORY / os.environ.get("ARTIFACTS", DEFAULT_ROOT / MODELS)
    return name if model and folder.is_dir() and (artifacts / name).is_dir() else model
