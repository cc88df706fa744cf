"""Checks of inputs against the limits that depend on settings or on the model."""

from collections.abc import Callable, Sequence

from warmstart.errors import BadRequest


def check_inputs(
    inputs: Sequence[str | Sequence[int]], name: Callable[[int], str], *, characters: int, vocabulary: int
) -> None:
    """Raise BadRequest for a text of more `characters`, or for a token id that is not below `vocabulary`.

    `name` returns the request's field for the input at an index.
    """
    for index, each in enumerate(inputs):
        if isinstance(each, str):
            if len(each) > characters:
                where = name(index)
                message = f"{where} has {len(each)} characters; the limit is {characters}"
                raise BadRequest(message, param=where, code="text_too_long")
        elif max(each) >= vocabulary:
            place, unknown = next((place, token) for place, token in enumerate(each) if token >= vocabulary)
            where = f"{name(index)}.{place}"
            message = f"{where} is {unknown}; the largest id of the vocabulary is {vocabulary - 1}"
            raise BadRequest(message, param=where, code="unknown_token_id")
