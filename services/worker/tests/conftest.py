"""The real model, loaded once a test run."""

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from worker.engines.sentence_transformers import SentenceTransformersEngine
from worker.model_files import ModelFolder, locate

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


OF_THE_REFERENCE = {"folder", "engine", "reference", "small"}  # fixtures that need the model itself
WITHOUT_TORCH = """
import sys
for name in ("torch", "transformers", "sentence_transformers"):
    sys.modules[name] = None  # importing it raises
from worker.export import main
sys.exit(main([]))
"""


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what can't run without torch."""
    if OF_THE_REFERENCE & set(getattr(item, "fixturenames", ())):
        item.add_marker("reference")


@pytest.fixture(scope="session")
def folder() -> ModelFolder:
    """The default model's folder."""
    return locate("all-MiniLM-L6-v2")


@pytest.fixture(scope="session")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the artifact of the default model, made as `make up` makes it."""
    folder: Path = tmp_path_factory.mktemp("artifacts")
    environment = {**os.environ, "ARTIFACTS": str(folder)}
    subprocess.run([sys.executable, "-c", WITHOUT_TORCH], env=environment, timeout=300, check=True)
    return folder


@pytest.fixture(scope="session")
def small() -> Any:
    """The module that makes small models; it imports torch."""
    from tests.harness import small_models

    return small_models


@pytest.fixture(scope="session")
def engine(folder: ModelFolder) -> SentenceTransformersEngine:
    """The reference engine with the default model."""
    return SentenceTransformersEngine(folder, threads=2)


@pytest.fixture(scope="session")
def reference(folder: ModelFolder, engine: SentenceTransformersEngine) -> "SentenceTransformer":
    """The same model as its own library runs it; the engine comes first and keeps the library off the hub."""
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder.path), device="cpu")


@pytest.fixture(scope="session")
def varied_texts() -> list[str]:
    """Texts on which tokenizers differ: scripts, emoji, control characters, special tokens, all lengths."""
    sentence = "The quick brown fox jumps over the lazy dog. "
    return [
        "a",
        "   ",
        "Hello,   World!\n\tHow are you?",
        "naïve café ÀÉÎÕÜ ß İstanbul ﬁ Ⅷ",
        "cafe\u0301 \u200b zero\u200dwidth \ufeff\u00a0\u2028 soft\u00adhyphen \x01\x1f\x7f",
        "你好，世界。今天天气很好",
        "日本語のテキスト と 한국어 텍스트",
        "Привет мир, γειά σου Κόσμε, مرحبا بالعالم, שלום עולם, नमस्ते दुनिया, ไทย",
        "👩‍👩‍👧‍👦 🏳️‍🌈 😀😀 and 🇩🇪",
        "[CLS] a [SEP] b [MASK] [PAD] [UNK] ##ing",
        "x" * 99 + " " + "y" * 101,
        "https://example.org/a?b=c&d=%20#e user@example.org 3.14159e-10 $1,234.56",
        sentence * 10,
        sentence * 25,
        "word " * 254,
        "word " * 255,
        (sentence * 500)[:20_000],
        "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 \U0010ffff \ue000",
    ]
