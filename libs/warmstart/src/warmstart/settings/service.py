"""Settings that every service has, read from the environment."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from warmstart.settings import trusted, urls, vault_address
from warmstart.settings.headers import headers
from warmstart.settings.listening import binds, checked
from warmstart.settings.mistakes import check_declared, check_given
from warmstart.settings.secret_files import SUFFIX, SecretFiles, is_secret, variables

# Beyond these limits a clock, an integer of C or a sum overflows, or no request is ever served.
Seconds = Annotated[float, Field(ge=0.001, le=86_400)]
Bytes = Annotated[int, Field(ge=1, le=2**36)]
Count = Annotated[int, Field(ge=1, le=10**9)]

START_FAILED = 3  # the status of a container whose service can't start
SHORTEST = 22  # characters of a bearer token in production; of base64 they are 128 bits, which nobody can guess
METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # the variable by which prometheus_client knows of several processes


def _lower(value: Any) -> Any:
    """`LOG_LEVEL=INFO` is how most programs spell it."""
    return value.lower() if isinstance(value, str) else value


def words(text: str) -> list[str]:
    """What stands between commas and white space."""
    return text.replace(",", " ").split()


def tokens(secret: SecretStr) -> SecretStr:
    """Return a setting of bearer tokens. Raises ValueError unless it has some."""
    found = words(secret.get_secret_value())
    if not found or not all(each.isascii() for each in found):
        raise ValueError("must hold words of ASCII characters, separated by commas or white space")
    return secret


Tokens = Annotated[SecretStr, AfterValidator(tokens)]


def words_of(secret: SecretStr | None) -> list[str]:
    """The words of a secret; none of one that is not set."""
    return words(secret.get_secret_value()) if secret else []


def _headers(secret: SecretStr) -> SecretStr:
    """Raises ValueError, which quotes nothing, unless the text is in OpenTelemetry's form."""
    headers(secret)
    return secret


def _endpoint(text: str) -> str:
    return urls.checked(text, "must be the URL of an OTLP endpoint, such as http://host:4318, " + urls.WITHOUT)


class UpperCase(EnvSettingsSource):
    """Reads variables in upper case only. pydantic-settings reads any case, and of `PORT` and `port` either."""

    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        super().__init__(settings_cls)
        self.env_vars = {name.lower(): value for name, value in variables().items() if value}


class ServiceSettings(BaseSettings):
    """Durations are seconds. A secret `NAME` may also come from the file that `NAME_FILE` names.

    An empty variable is as good as none for a setting that can be none, and a bad setting for any other.
    """

    # hide_input_in_errors: the input may be a secret.
    model_config = SettingsConfigDict(extra="ignore", hide_input_in_errors=True, allow_inf_nan=False)

    host: str = Field(
        "127.0.0.1",
        pattern=r"^[\w.:-]+(,[\w.:-]+)*$",
        description="addresses to listen on, such as `0.0.0.0,::`; an IPv6 address that the host lacks is left out",
    )
    port: int = Field(8000, ge=1, le=65535, description="port to listen on")
    web_concurrency: int = Field(1, ge=1, le=32, description="processes in this pod")
    min_ready_processes: int = Field(
        1, ge=1, description="ready processes that keep the pod ready after its first readiness"
    )
    warmup: Literal["background", "blocking", "lazy"] = Field(
        "background",
        description="load behind a gate after binding, before binding (`blocking`), or at first use (`lazy`)",
    )
    startup_timeout: Seconds = Field(60, description="time limit of the whole start")
    drain_seconds: float = Field(5, ge=0, le=86_400, description="how long requests are served after SIGTERM")
    drain_readyz: Literal["503", "200"] = Field(
        "503", description="what /readyz answers while the process drains after SIGTERM; 200 is for Kubernetes"
    )
    request_timeout: Seconds = Field(10, description="time limit of one request")
    stream_drain_seconds: Seconds | None = Field(
        None,
        description="how long streams of events that are under way may go on when the listener has closed; "
        "none: `REQUEST_TIMEOUT`",
    )
    connection_max_age: Seconds = Field(
        10, description="longest age of a connection; then its next answer says `Connection: close`"
    )
    shutdown_timeout: Seconds = Field(5, description="time limit of ending background tasks and closing all resources")
    health_interval: Seconds = Field(1, description="pause between two health samples of a resource")
    health_timeout: Seconds = Field(1, description="time limit of one health sample")
    heal_timeout: Seconds = Field(
        30, description="how long a gating resource may be unhealthy before the process is replaced"
    )
    readiness_policy: Literal["decoupled", "coupled"] = Field(
        "decoupled", description="with `coupled`, a failing check of a required dependency makes /readyz 503"
    )
    header_timeout: Seconds = Field(
        10,
        description="time limit of a connection's silence before its first request, and of receiving a request's head",
    )
    max_header_bytes: int = Field(
        32 * 2**10, ge=1024, le=2**20, description="largest head of a request (its first line and headers)"
    )
    forwarded_allow_ips: Annotated[str, AfterValidator(trusted.checked)] = Field(
        "127.0.0.1", description="proxies whose `X-Forwarded-For` is believed: addresses or networks, or `*`"
    )
    proxy_protocol: bool = Field(
        False, description="whether a balancer in front names the client in a PROXY line, version 1"
    )
    max_body_bytes: Bytes = Field(4 * 2**20, description="largest request body")
    max_body_bytes_in_flight: Bytes = Field(
        16 * 2**20, description="largest total of the request bodies of one process; beyond it, 503"
    )
    max_body_values: Count = Field(200_000, description="most JSON values in one body")
    environment: Literal["development", "production"] = Field(
        "development", description="`production` refuses fault switches and empty secrets"
    )
    operator_keys: Tokens | None = Field(
        None,
        description="bearer tokens for `/metrics` and the details of probes; none: open, but in production",
    )
    hsts_seconds: int = Field(
        0, ge=0, le=2**31, description="how long browsers then use TLS only; 0 unless TLS ends in front of this service"
    )
    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)] = Field(
        "info", description="lowest level that is logged"
    )
    log_format: Literal["console", "json"] = Field("console", description="text lines, or one JSON object a line")
    secrets_from: Annotated[str, AfterValidator(vault_address.checked)] | None = Field(
        None,
        description="vault of the secrets that neither a variable nor a file gives: "
        "`azure:https://NAME.vault.azure.net`, `aws:NAME-OR-ARN` or `gcp:PROJECT`",
    )
    secrets_timeout: Seconds = Field(
        20, description="how long the start waits for that vault; less than `STARTUP_TIMEOUT`"
    )
    faults_enabled: bool = Field(False, description="whether fault switches for drills work; refused in production")
    faults_file: Path | None = Field(
        None, description="file of the fault switches, as JSON (`warmstart.faults.Faults`)"
    )

    otel_exporter_otlp_endpoint: Annotated[str, AfterValidator(_endpoint)] | None = Field(
        None,
        description="where traces go: the URL of an OTLP endpoint that takes HTTP, such as `http://127.0.0.1:4318`",
    )
    otel_exporter_otlp_headers: Annotated[SecretStr, AfterValidator(_headers)] | None = Field(
        None, description="headers for that endpoint, such as credentials: `name=value,name=value`, percent-encoded"
    )

    _of_vault: frozenset[str] | None = PrivateAttr(None)  # names of settings; None before it has answered

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Raise TypeError for an option or an alias that would be ignored."""
        super().__pydantic_init_subclass__(**kwargs)
        check_declared(cls)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.faults_enabled and self.environment == "production":
            raise ValueError("FAULTS_ENABLED is refused in production")
        limited = self.secrets_from and "secrets_timeout" in self.model_fields_set
        if limited and self.secrets_timeout >= self.startup_timeout:
            raise ValueError("SECRETS_TIMEOUT must be less than STARTUP_TIMEOUT")
        if self.min_ready_processes > self.web_concurrency:
            raise ValueError("MIN_READY_PROCESSES must not exceed WEB_CONCURRENCY")
        if self.max_body_bytes > self.max_body_bytes_in_flight * 3 // 4:  # the rest is for small bodies
            raise ValueError("MAX_BODY_BYTES must not exceed three quarters of MAX_BODY_BYTES_IN_FLIGHT")
        return self

    @model_validator(mode="after")
    def _filled(self) -> Self:
        """Refuse an empty variable where a value is needed.

        An empty secret in production is refused too: something should have filled it, and did not. With a vault this is
        for `refuse_empty` to say, when the vault has answered.
        """
        self.refuse_empty(secrets=not self.secrets_from)
        return self

    def refuse_empty(self, *, secrets: bool = True) -> None:
        """Raise ValueError for a variable that is empty; of `secrets` only if they are asked for."""
        given = variables()
        for name, field in type(self).model_fields.items():
            secret = is_secret(field)
            needed = field.default not in (None, "") or (self.environment == "production" and secret)
            if needed and (secrets or not secret) and name not in self.model_fields_set:
                empty = [each for each in (name.upper(), name.upper() + SUFFIX) if given.get(each) == ""]
                if empty:
                    raise ValueError(f"{empty[0]}: it is empty; give it a value, or unset it")

    @property
    def awaits_secrets(self) -> bool:
        """Whether the vault has yet to say which secrets there are besides."""
        return bool(self.secrets_from) and self._of_vault is None

    @property
    def given(self) -> set[str]:
        """The names of those that an argument, a variable or a file gave, and no vault."""
        return self.model_fields_set - (self._of_vault or frozenset())

    def fill_in(self, secrets: Mapping[str, Any]) -> None:
        """Take the vault's values, which are valid, by setting. Who holds these settings has the values too.

        Another start takes those of its own: what the vault has no longer is as by default.
        """
        fields = type(self).model_fields
        gone = {name: fields[name].get_default(call_default_factory=True) for name in self._of_vault or ()}
        for name, value in {**gone, **secrets}.items():
            setattr(self, name, value)
        self._of_vault = frozenset({*gone, *secrets})

    @property
    def bind(self) -> list[str]:
        """Addresses and port in gunicorn's form. Raises ValueError for a `host` that has no address.

        Only a program that listens reads this: conda exports HOST, the kind of machine, to all programs.
        """
        return binds(checked(self.host), self.port)

    @property
    def lasting_seconds(self) -> float:
        """Seconds that a stream of events, or another answer that lasts, has when the listener has closed."""
        return self.request_timeout if self.stream_drain_seconds is None else self.stream_drain_seconds

    @property
    def in_flight_seconds(self) -> float:
        """Seconds from the end of the listener to that of the last answer."""
        return max(self.request_timeout, self.lasting_seconds)

    @property
    def stop_budget(self) -> float:
        """Seconds from SIGTERM to the last closer's limit: drain, in-flight requests, closing."""
        return self.drain_seconds + self.in_flight_seconds + self.shutdown_timeout

    def check_serving(self) -> None:
        """Raise ValueError for what a program that serves can't do without, though others with these settings can.

        Others are migrations and command lines. In production no token may be one that can be guessed.
        """
        if self.environment == "production":
            for name, found in self.plain_tokens().items():
                if any(len(each) < SHORTEST for each in found):
                    raise ValueError(
                        f"{name}: ENVIRONMENT=production needs random keys of {SHORTEST} characters or more; "
                        "openssl rand -hex 32 makes one"
                    )

    def plain_tokens(self) -> dict[str, list[str]]:
        """The bearer tokens that settings hold as they are, by the setting's variable."""
        return {"OPERATOR_KEYS": words_of(self.operator_keys)}

    def read_again(self, name: str) -> str | None:
        """Read the secret `name` from its file again; None when it has no file, or the file can't be read."""
        try:
            text = SecretFiles(type(self)).get_field_value(type(self).model_fields[name], name)[0]
        except ValueError:
            return None
        return text if isinstance(text, str) else None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then the files that the environment names.

        Raises TypeError for a source that is asked for and would not be read.
        """
        check_given(env_settings, dotenv_settings, file_secret_settings)
        return init_settings, UpperCase(settings_cls), SecretFiles(settings_cls)


S = TypeVar("S", bound=ServiceSettings)


def load(settings: type[S]) -> S:
    """Return the settings, or write one line for each bad one and exit with status 3."""
    try:
        return settings()
    except ValidationError as error:
        for problem in problems(error):
            sys.stderr.write(f"bad setting {problem}\n")
    except ValueError as error:
        sys.stderr.write(f"bad setting {error}\n")
    raise SystemExit(START_FAILED)


def problems(error: ValidationError) -> Iterator[str]:
    """A line for each setting that is bad, which quotes no value."""
    for problem in error.errors(include_input=False, include_url=False):
        where = [".".join(str(part) for part in problem["loc"]).upper()] if problem["loc"] else []
        yield ": ".join([*where, problem["msg"].removeprefix("Value error, ")])
