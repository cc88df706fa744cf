"""What may be changed while the api serves: docs/flags.md."""

from typing import Literal

from pydantic import Field

from api.settings import ApiSettings
from warmstart.flags.followed import FollowedFlags
from warmstart.flags.text import FlagSet


class ApiFlags(FlagSet):
    """The flags of the api."""

    exact_search: bool = Field(
        False, description="searches compare all vectors that match with the query, without the HNSW index"
    )
    embedding_cache: Literal["on", "read", "write", "off"] = Field(
        "on",
        description="what Redis is used for: to look embeddings up (`read`), to store them (`write`), both, or neither",
    )
    classify_documents: bool = Field(
        False,
        description="documents get a label on their way in; where the file doesn't say, as `CLASSIFY_DOCUMENTS` does",
    )

    @property
    def reads_cache(self) -> bool:
        """Whether a text is looked up."""
        return self.embedding_cache in ("on", "read")

    @property
    def writes_cache(self) -> bool:
        """Whether what the worker has computed is stored."""
        return self.embedding_cache in ("on", "write")


def flags_for(settings: ApiSettings) -> FollowedFlags[ApiFlags]:
    """The flags of an application with these settings."""
    return FollowedFlags(ApiFlags(classify_documents=settings.classify_documents), settings.flags_file)
