"""The card of an estimator: a JSON file beside its file, named as that with `.json` behind it. None is needed."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ValidationError

from warmstart import Fatal


class Card(BaseModel):
    """What a start reads of it; a card may say more, such as scores.

    `sha256` is the hex digest of the file that the card is about. `space` is that of the embeddings which the estimator
    was fitted on. `example` is a row that it can predict, for a proof by something else than zeros.
    """

    sha256: str | None = None
    space: str | None = None
    example: list[float] | None = None

    @classmethod
    def of(cls, file: Path, sha256: str) -> Self:
        """Read the card of a file with this digest; an empty one where there is none.

        Raises Fatal for a card that can't be read, or that is about another file.
        """
        beside = card_file(file)
        try:
            card = cls.model_validate_json(beside.read_bytes())
        except FileNotFoundError:
            return cls()
        except (OSError, ValidationError) as error:
            raise Fatal(f"PREDICTOR={file}: its card {beside.name} can't be read: {error}") from error
        if card.sha256 and card.sha256.lower() != sha256:
            raise Fatal(
                f"PREDICTOR={file}: its card {beside.name} is about a file with sha256 {card.sha256}, not {sha256}"
            )
        return card


def card_file(file: Path) -> Path:
    """Where the card of a file is."""
    return file.with_name(f"{file.name}.json")
