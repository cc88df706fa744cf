"""Settings of the api, read from the environment."""

from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from api.database_url import parse as parse_database_url
from api.keys.entries import Entry, plain_keys
from api.keys.entries import parse as parse_keys
from api.quota_text import TEN_YEARS
from api.quota_text import checked as checked_quota
from api.redis_url import parse as parse_redis_url
from contract.limits import TEXT_CHARACTERS
from warmstart import ServiceSettings
from warmstart.settings import urls
from warmstart.settings.service import Count, Seconds, Tokens, words, words_of


def _database_url(secret: SecretStr) -> SecretStr:
    parse_database_url(secret.get_secret_value())
    return secret


def _redis_url(secret: SecretStr) -> SecretStr:
    parse_redis_url(secret.get_secret_value())
    return secret


def _http_url(text: str) -> str:
    return urls.checked(text, "must be http://host:port, " + urls.WITHOUT)


def _base_url(text: str) -> str:
    return urls.checked(text, "must be the base URL of an API, such as https://host/v1, " + urls.WITHOUT)


def _one_word(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if not (text.isascii() and text.isprintable() and len(text.split()) == 1):
        raise ValueError("must be one word of ASCII characters")
    return secret


def _some_keys(secret: SecretStr) -> SecretStr:
    if not parse_keys(secret.get_secret_value()):
        raise ValueError("must hold keys, separated by commas or white space, or lines with names and hashes")
    return secret


def _origins(text: str) -> str:
    for origin in words(text):
        parts = urlsplit(origin)
        if origin != "*" and (not parts.hostname or origin != f"{parts.scheme}://{parts.netloc}"):
            raise ValueError("must be origins as https://example.org, separated by commas or white space, or *")
    return text


class ApiSettings(ServiceSettings):
    """Durations are seconds. The defaults reach the parts of the embedded stack, which adds the passwords."""

    port: int = Field(8000, ge=1, le=65535, description="port to listen on")
    database_url: Annotated[SecretStr, AfterValidator(_database_url)] = Field(
        SecretStr("postgresql+asyncpg://warmstart@127.0.0.1:15432/warmstart"),
        description="Postgres with pgvector, `postgresql+asyncpg://user:password@host:port/database`",
    )
    database_pool_size: int = Field(
        10,
        ge=1,
        le=10_000,
        description="most Postgres connections of one process; all processes together must stay below max_connections",
    )
    search_database_url: Annotated[SecretStr, AfterValidator(_database_url)] | None = Field(
        None,
        description="a read replica of Postgres, for searches; none, or while it is away: `DATABASE_URL`",
    )
    database_patience: float = Field(
        1, ge=0, le=86_400, description="how long requests wait for a Postgres that is away; then they fail at once"
    )
    redis_url: Annotated[SecretStr, AfterValidator(_redis_url)] = Field(
        SecretStr("redis://127.0.0.1:16379/0"),
        description="Redis or Valkey, `redis://:password@host:port/db`",
    )
    cache_ttl: float = Field(7 * 86_400, ge=1, le=TEN_YEARS, description="how long an embedding stays in Redis")
    cache_timeout: float = Field(
        0.25,
        gt=0,
        le=86_400,
        description="time limit of one call to Redis; beyond it, or 2 s of waiting for others, every text is a miss",
    )
    worker_url: Annotated[str, AfterValidator(_http_url)] = Field(
        "http://127.0.0.1:8001", description="URL of the embedding worker"
    )
    next_worker_url: Annotated[str, AfterValidator(_http_url)] = Field(
        "http://127.0.0.1:8002",
        description="URL of the workers whose model replaces the served one; not called unless `api.reindex` has begun",
    )
    worker_secret: Tokens | None = Field(
        None, description="token that the workers want; several while it is rotated, of which the first is tried first"
    )
    worker_patience: float = Field(
        3, ge=0, le=86_400, description="how long requests wait for a worker that is away; then they fail at once"
    )
    api_keys: Annotated[SecretStr, AfterValidator(_some_keys)] | None = Field(
        None,
        description="keys that `/v1` accepts, as names with hashes, or as they are; none: no authentication",
    )
    quota: Annotated[str, AfterValidator(checked_quota)] = Field(
        "",
        description="texts a caller may send, such as `600/minute`, counted over all processes; none: no limit",
    )
    cors_origins: Annotated[str, AfterValidator(_origins)] = Field(
        "",
        description="origins whose pages may call from a browser, comma-separated, or `*`; none: the api's own only",
    )
    max_text_characters: Count = Field(TEXT_CHARACTERS, description="longest text, in characters")
    max_inputs: Count = Field(2048, description="most texts of one `/v1/embeddings` call")
    token_ids: bool = Field(
        False,
        description="whether `/v1/embeddings` takes token ids of the served model's vocabulary",
    )
    classify_documents: bool = Field(
        False,
        description="whether metadata of documents gets a `label` by the workers' `PREDICTOR`, unless it has one",
    )
    chat_url: Annotated[str, AfterValidator(_base_url)] | None = Field(
        None,
        description="base URL of the OpenAI-compatible server that answers chats, such as `https://host/v1`; "
        "none: no chats",
    )
    chat_model: str | None = Field(
        None,
        pattern=r"\S",
        description="the model of that server, by which callers name it too; needed with `CHAT_URL`",
    )
    chat_api_key: Annotated[SecretStr, AfterValidator(_one_word)] | None = Field(
        None, description="key for that server"
    )
    chat_first_token_timeout: Seconds = Field(
        30, description="how long a stream of that server may take to its first token"
    )
    chat_token_timeout: Seconds = Field(10, description="longest pause between two tokens of it")
    chat_timeout: Seconds = Field(300, description="time limit of an answer of that server, whole or streamed")
    max_chats: Count = Field(100, description="most chats under way in one process; beyond it, 503")
    max_chat_characters: Count = Field(100_000, description="most characters of the messages of one chat")
    max_source_characters: Count = Field(
        12_000, description="most characters of documents in one prompt; long documents are cut to fit"
    )
    reports_folder: Path | None = Field(
        None,
        description="folder of the reports of `make coldstart` and `make drills`: the page shows them, and they are "
        "served without a key; none: no reports",
    )
    flags_file: Path | None = Field(
        None,
        description="file of feature flags, a JSON object that is followed while the api serves; none: their defaults",
    )
    migrate_timeout: Seconds = Field(30, description="how long `python -m api.migrate` waits for Postgres")

    @model_validator(mode="after")
    def _names_the_model(self) -> Self:
        if self.chat_url and not self.chat_model:
            raise ValueError("CHAT_URL needs CHAT_MODEL")
        return self

    @property
    def is_open(self) -> bool:
        """Whether anybody may call `/v1`; nobody before the vault has said that there are no keys."""
        return not (self.awaits_secrets or self.api_keys or self.environment == "production")

    def keys(self) -> list[Entry]:
        """The API keys; none means no authentication."""
        return parse_keys(self.api_keys.get_secret_value()) if self.api_keys else []

    def check_serving(self) -> None:
        """See `ServiceSettings.check_serving`."""
        super().check_serving()
        if self.environment == "production" and not self.api_keys:
            raise ValueError("API_KEYS: ENVIRONMENT=production needs keys; python -m api.keys makes them")

    def plain_tokens(self) -> dict[str, list[str]]:
        """See `ServiceSettings.plain_tokens`."""
        own = plain_keys(self.api_keys.get_secret_value()) if self.api_keys else []
        return {**super().plain_tokens(), "WORKER_SECRET": words_of(self.worker_secret), "API_KEYS": own}

    def cors(self) -> list[str]:
        """The allowed origins."""
        return words(self.cors_origins)
