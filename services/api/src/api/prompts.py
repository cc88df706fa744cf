"""Which prompt a call of `/v1/embeddings` asks for."""

from collections.abc import Mapping, Sequence
from typing import Any

from api.embedding import Item
from contract.model import ModelInfo
from contract.prompts import DOCUMENT, HEADER, NONE, QUERY
from warmstart.errors import BadRequest

# What clients of other servers (Cohere, NVIDIA, Voyage) write in `input_type`.
INPUT_TYPES = {
    "query": QUERY,
    "search_query": QUERY,
    "document": DOCUMENT,
    "search_document": DOCUMENT,
    "passage": DOCUMENT,
    "none": NONE,
}


def asked_prompt(headers: Mapping[str, str], input_type: Any, model: ModelInfo, items: Sequence[Item]) -> str | None:
    """The name of the prompt: the header's, else that of `input_type` if it says something to this model.

    None is the model's default prompt. Raises BadRequest for a header with an unknown name, and for a prompt before
    token ids: its tokens before those of a text are not the tokens of both.
    """
    name = headers.get(HEADER) or _of_input_type(input_type, model)
    if name and model.prompts.text(name, HEADER) and not isinstance(items[0], str):
        message = f"{HEADER}: the prompt {name} goes before texts only, not before token ids"
        raise BadRequest(message, param=HEADER, code="prompt_needs_texts")
    return name


def _of_input_type(value: Any, model: ModelInfo) -> str | None:
    if not isinstance(value, str):
        return None
    return value if value in model.prompts.texts else INPUT_TYPES.get(value)
