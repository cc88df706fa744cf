"""The prompts of a model: texts that it was trained to find before a query, before a document, or for another task."""

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from warmstart.errors import BadRequest

HEADER = "X-Prompt"  # of the api's `/v1/embeddings`
FIELD = "prompt"  # of the body of `POST /embeddings/`
QUERY, DOCUMENT, NONE = "query", "document", "none"  # names that every model takes
OF_DOCUMENTS = ("document", "passage", "corpus")  # names that models give the prompt of documents
PARAMETER = {
    "name": HEADER,
    "in": "header",
    "description": f"name of the prompt to put before each text: {QUERY}, {DOCUMENT}, {NONE} or one of the model",
    "schema": {"type": "string"},
}  # as OpenAPI has it: `openapi_extra={"parameters": [PARAMETER]}`


class Prompts(BaseModel):
    """`texts` by name, and the name of the one that is used when a call names none."""

    model_config = ConfigDict(frozen=True)

    texts: dict[str, str] = {}
    default: str | None = None

    def text(self, name: str | None, field: str) -> str:
        """What goes before each text, often nothing. Raises BadRequest that names `field` for an unknown name.

        It is what sentence-transformers chooses in `encode` (without a name), `encode_query` and `encode_document`,
        with one difference: a model that has a prompt of passages, and none of documents, gets it for documents, where
        that library's 6.2 takes the missing one for an empty one.
        """
        if name is None:
            return self.texts.get(self.default or "", "")
        if name in self.texts and name != DOCUMENT:
            return self.texts[name]
        if name not in (QUERY, DOCUMENT, NONE):
            known = ", ".join(dict.fromkeys((QUERY, DOCUMENT, NONE, *self.texts)))
            message = f"{field}: the model has none of that name, but {known}"  # no input is echoed
            raise BadRequest(message, param=field, code="unknown_prompt")
        return _first(self.texts.get(each, "") for each in OF_DOCUMENTS) if name == DOCUMENT else ""

    @property
    def any(self) -> bool:
        """Whether a prompt changes a text."""
        return bool(_first(self.texts.values()))


def _first(texts: Iterable[str]) -> str:
    return next(filter(None, texts), "")


NO_PROMPTS = Prompts()
