"""The binary answer of `POST /embeddings/`: rows of little-endian float32, and headers that describe them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from contract.space import space_of
from warmstart.http.timing import Timings

BINARY = "application/octet-stream"
FLOAT_BYTES = 4

MODEL = "X-Model"
FINGERPRINT = "X-Model-Fingerprint"
SPACE = "X-Model-Space"
DIMENSIONS = "X-Dimensions"
PROMPT_TOKENS = "X-Prompt-Tokens"
TEXT_TOKENS = "X-Text-Tokens"
TIMINGS = "Server-Timing"
HEADERS = {
    MODEL: "name of the model",
    FINGERPRINT: "hex sha256 over weights, tokenizer, pooling, prompts, engine and precision",
    SPACE: "name of the space: vectors of one space can be compared, whatever engine made them",
    DIMENSIONS: "length of a vector",
    PROMPT_TOKENS: "tokens of all texts, prompts and special tokens included, after truncation",
    TEXT_TOKENS: "the same for each text, comma-separated",
    TIMINGS: "milliseconds of the stages tokenize, queue and inference",
}


@dataclass(frozen=True)
class Description:
    """What the headers say; `tokens` has a number for each input, `timings` are seconds."""

    model: str
    fingerprint: str
    space: str
    dimensions: int
    tokens: Sequence[int]
    timings: Timings

    def headers(self) -> dict[str, str]:
        """The headers of the answer."""
        return {
            MODEL: self.model,
            FINGERPRINT: self.fingerprint,
            SPACE: self.space,
            DIMENSIONS: str(self.dimensions),
            PROMPT_TOKENS: str(sum(self.tokens)),
            TEXT_TOKENS: ",".join(map(str, self.tokens)),
            TIMINGS: self.timings.header(),
        }

    @classmethod
    def read(cls, headers: Mapping[str, str]) -> Self:
        """Read the headers of an answer. Raises KeyError or ValueError for headers of another form.

        A worker of an earlier version names no space.
        """
        return cls(
            headers[MODEL],
            headers[FINGERPRINT],
            space_of(headers[FINGERPRINT], headers.get(SPACE)),
            int(headers[DIMENSIONS]),
            [int(number) for number in headers[TEXT_TOKENS].split(",")],
            Timings.parse(headers[TIMINGS]),
        )
