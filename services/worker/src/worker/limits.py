"""The limits that depend on settings or on the model, and so can't be part of the schema."""

from warmstart.errors import BadRequest
from worker.schemas import EmbeddingsRequest


def check_limits(request: EmbeddingsRequest, max_characters: int, vocabulary_size: int) -> None:
    """Raise BadRequest, naming field and limit, for a text too long or an id that the model doesn't know."""
    for index, text in enumerate(request.texts or ()):
        if len(text) > max_characters:
            param = f"texts.{index}"
            raise BadRequest(
                f"{param} has {len(text)} characters; the limit is {max_characters}",
                param=param,
                code="text_too_long",
            )
    for index, ids in enumerate(request.token_ids or ()):
        if max(ids) >= vocabulary_size:
            place = next(place for place, token in enumerate(ids) if token >= vocabulary_size)
            param = f"token_ids.{index}.{place}"
            raise BadRequest(
                f"{param} is {ids[place]}; the largest id of the vocabulary is {vocabulary_size - 1}",
                param=param,
                code="unknown_token_id",
            )
