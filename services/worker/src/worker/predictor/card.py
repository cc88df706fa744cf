"""The card of an estimator: a JSON file beside its file, named as that with `.json` behind it. None is needed."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, Field, ValidationError

from warmstart import Fatal


class Card(BaseModel):
    """What a start reads of it; a card may say more, such as scores.

    `sha256` is the hex digest of the file that the card is about. `space` is that of the embeddings which the estimator
    was fitted on, and null where it takes none. Both must be there: what isn't said can't be compared. `example` is a
    row that it can predict, for a proof by something else than zeros.
    """

    sha256: str = Field(min_length=1)
    space: str | None = Field(min_length=1)
    example: list[float] | None = None

    @classmethod
    def of(cls, file: Path, sha256: str) -> Self | None:
        """Read the card of a file with this digest, if there is one.

        Raises Fatal for a card that can't be read, or that is about another file.
        """
        beside = card_file(file)
        try:
            card = cls.model_validate_json(beside.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Fatal(f"PREDICTOR={file}: its card {beside.name} can't be read: {error.strerror}") from error
        except ValidationError as error:
            raise Fatal(f"PREDICTOR={file}: its card {beside.name} can't be read: {_problems(error)}") from error
        if card.sha256.lower() != sha256:
            raise Fatal(
                f"PREDICTOR={file}: its card {beside.name} is about a file with sha256 {card.sha256}, not {sha256}"
            )
        return card


def _problems(error: ValidationError) -> str:
    """What is wrong with which field; without the input, which may hold a caller's features."""
    problems = error.errors(include_input=False, include_url=False)
    return "; ".join(": ".join([*map(str, each["loc"]), each["msg"]]) for each in problems)


def card_file(file: Path) -> Path:
    """Where the card of a file is."""
    return file.with_name(f"{file.name}.json")
