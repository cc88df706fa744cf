"""Models of the Hugging Face hub: the export fetches them; a start reads what was fetched, and reaches no hub."""

import logging
import re
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import NamedTuple, TypeVar

from warmstart import Fatal

P = TypeVar("P", bound=PurePath)

log = logging.getLogger("worker.export")

NAME = re.compile(r"([A-Za-z0-9][\w.-]*/[\w.-]+?)(?:@([\w./-]+))?", re.ASCII)
MODULE = re.compile(r"\d+_\w+", re.ASCII)  # sentence-transformers' names for the folders of modules
WEIGHTS = frozenset({".safetensors", ".bin"})
READ = WEIGHTS | {".json", ".txt", ".model"}  # by the engines
HOW = "Where there is internet, 'make artifact EMBEDDING_MODEL={}' (python -m worker.export) fetches and exports it"


class HubModel(NamedTuple):
    """A model's name in the hub, and its revision: a commit, a tag or a branch; None is the main branch."""

    name: str
    revision: str | None

    def __str__(self) -> str:
        return f"{self.name}@{self.revision}" if self.revision else self.name


def hub_model(text: str) -> HubModel | None:
    """The model that `organisation/name` or `organisation/name@revision` means; None for another text."""
    found = NAME.fullmatch(text)
    return HubModel(*found.groups()) if found else None


def fetched(model: HubModel) -> Path:
    """The folder into which a model was fetched before. Raises Fatal when it wasn't, or not whole."""
    try:
        from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415 - the serving image has none

        file = try_to_load_from_cache(model.name, "config.json", revision=model.revision)
    except (ImportError, ValueError):
        file = None
    how = HOW.format(model)
    if not isinstance(file, str):
        raise Fatal(f"EMBEDDING_MODEL={model} is no folder here, and no model that was fetched from the hub. {how}")
    folder = Path(file).parent
    if missing := [file for file in _listed(model) if not (folder / file).exists()]:
        raise Fatal(f"EMBEDDING_MODEL={model}: fetched in part, without {', '.join(missing)}. {how}")
    return folder


def _listed(model: HubModel) -> list[str]:
    """The files that a model must have. Without modules.json or prompts it would be read as another model."""
    from huggingface_hub import _CACHED_NO_EXIST, get_cached_repo_tree, try_to_load_from_cache  # noqa: PLC0415
    from huggingface_hub.errors import CachedRepoTreeNotFoundError  # noqa: PLC0415

    try:
        return needed([file.path for file in get_cached_repo_tree(model.name, revision=model.revision)])
    except CachedRepoTreeNotFoundError:  # fetched file by file, by a library that may need few of them
        modules = try_to_load_from_cache(model.name, "modules.json", revision=model.revision)
        return [] if modules is _CACHED_NO_EXIST else ["modules.json"]


def fetch(model: HubModel) -> Path:
    """Fetch the files that are read, and return their folder. Raises Fatal when the hub doesn't give them.

    Without a way to the hub, or while it fails or is too busy, a model that was fetched before is found again.
    """
    from httpx2 import HTTPError  # noqa: PLC0415 - only who fetches pays for these imports
    from huggingface_hub import HfApi, constants, snapshot_download  # noqa: PLC0415
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, HFValidationError  # noqa: PLC0415

    log.info("fetching %s from %s", model, constants.ENDPOINT)
    try:
        told = HfApi().model_info(model.name, revision=model.revision, timeout=10)
        files = needed([each.rfilename for each in told.siblings or ()])
        return Path(snapshot_download(model.name, revision=model.revision, allow_patterns=files))
    except GatedRepoError as error:
        raise Fatal(f"EMBEDDING_MODEL={model}: its authors grant access; then set HF_TOKEN") from error
    except (HFValidationError, HfHubHTTPError) as error:
        if isinstance(error, HfHubHTTPError) and _passes(error.response.status_code):
            return _fetched_before(model, f"{constants.ENDPOINT} answers {error.response.status_code}", error)
        # RepositoryNotFoundError, RevisionNotFoundError: their first lines are about the request.
        why = str(error).split("\n\n")[-1].splitlines()[0]
        raise Fatal(f"EMBEDDING_MODEL={model}: {constants.ENDPOINT} does not give it: {why}") from error
    except (HTTPError, OSError) as error:
        return _fetched_before(model, f"{constants.ENDPOINT} can't be reached ({error})", error)


def _passes(status: int) -> bool:
    return status == 429 or status >= 500


def _fetched_before(model: HubModel, why: str, error: Exception) -> Path:
    try:
        return fetched(model)
    except Fatal:
        instead = f"{HOW.format(model)} into .warmstart/artifacts, which can be copied here"
        mirror = "HF_ENDPOINT names a mirror; EMBEDDING_MODEL may also be a folder with the model's files"
        raise Fatal(f"EMBEDDING_MODEL={model}: {why}. {instead}. {mirror}") from error


def needed(files: Sequence[str]) -> list[str]:
    """Of a repository's files, those that are read: no second form of the same weights, nothing for other libraries."""
    paths = [PurePath(file) for file in files]
    near = [file for file in paths if not file.parent.name or MODULE.fullmatch(str(file.parent))]
    return [str(file) for file in once(near)]


def once(files: Sequence[P]) -> list[P]:
    """The files that are read: beside safetensors, which are preferred, a .bin has the same weights, or others."""
    safe = {file.parent for file in files if file.suffix == ".safetensors"}
    return [file for file in files if file.suffix in READ and (file.suffix != ".bin" or file.parent not in safe)]
