"""The manifest: what an artifact's folder holds, and from which files it was made."""

from pathlib import Path
from typing import Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contract.prompts import Prompts
from warmstart import Fatal
from worker.model_files import Wanted, sha256

MANIFEST = "manifest.json"
TOKENIZER = "tokenizer"  # a folder with the model's own tokenizer files

EngineName: TypeAlias = Literal["onnx", "openvino"]
Precision: TypeAlias = Literal["fp32", "bf16", "int8"]

# Lowest cosine similarity allowed for any text. For int8 the card's recall is the bar for usual texts.
BARS = {"fp32": 0.9999, "bf16": 0.9999, "int8": 0.95}


class Compiled(BaseModel):
    """The graph as its library compiled it, in `file`; `machine` is the one kind that it is for."""

    model_config = ConfigDict(frozen=True)

    file: str
    machine: str


class Variant(BaseModel):
    """One engine at one precision, and how it compares with the reference.

    `files` has the graph first. `cosine` is the lowest cosine similarity over the reference texts. `known` is a file
    with the vectors that it gave for the inputs of the warm-up.
    """

    model_config = ConfigDict(frozen=True)

    engine: EngineName
    precision: Precision
    files: tuple[str, ...] = Field(min_length=1)
    compiled: Compiled | None = None
    known: str | None = None
    cosine: float

    @property
    def all_files(self) -> tuple[str, ...]:
        """What it needs besides the tokenizer."""
        compiled = (self.compiled.file,) if self.compiled else ()
        return (*self.files, *compiled, *((self.known,) if self.known else ()))


class Manifest(BaseModel):
    """`source` and `files` map file names to hex sha256: of the model that was exported, and of this folder."""

    model_config = ConfigDict(frozen=True)

    model: str
    revision: str | None = None  # the commit of a model of the hub
    origin: str | None = None  # `ModelFolder.origin`; None: of an earlier version
    source: dict[str, str]
    pooling: str
    max_tokens: int
    dimensions: int
    pad_token: int
    prompts: Prompts | None = None  # None: of an earlier version, which knew of none
    texts: int
    versions: dict[str, str]
    variants: tuple[Variant, ...]
    bf16: bool | None = None  # whether the CPU of the export has it; None: of an earlier version
    left_out: tuple[EngineName, ...] = ()  # engines whose vectors were too far from the reference
    files: dict[str, str]

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """The manifest of a folder; None when it has none. Raises Fatal for a manifest that can't be read."""
        file = folder / MANIFEST
        try:
            return cls.model_validate_json(file.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            raise Fatal(f"{file} is no manifest of an artifact: {str(error).splitlines()[0]}") from error

    def names(self, wanted: Wanted) -> bool:
        """Whether it was made of the model that is wanted, from files with exactly these hashes."""
        return wanted.name == self.model and wanted.hashes.items() <= self.source.items()

    def verify(self, folder: Path, variant: Variant) -> None:
        """Raise Fatal, with the file, when a file of this variant is missing or altered."""
        tokenizer = (file for file in self.files if file.startswith(f"{TOKENIZER}/"))
        for name in (*variant.all_files, *tokenizer):
            try:
                found = sha256(folder / name)
            except OSError as error:
                raise Fatal(f"artifact {folder}: {name} can't be read: {error.strerror}") from error
            expected = self.files.get(name, "none")
            if found != expected:
                raise Fatal(f"artifact {folder}: {name} was altered: expected sha256 {expected}, found {found}")
