"""AWS Secrets Manager: one secret, a JSON object with a member for each setting, such as DATABASE_URL, in any case."""

import os
from collections.abc import Mapping
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - theirs
    CredentialRetrievalError,
    HTTPClientError,
    MetadataRetrievalError,
)
from botocore.parsers import ResponseParserError
from pydantic_settings import AWSSecretsManagerSettingsSource, BaseSettings

from warmstart.lifecycle.fatal import Fatal
from warmstart.vault.errors import Away, content, line

LOGGERS = ("boto3", "botocore", "urllib3")  # at debug they write whole answers
# AWS answers 400 to most of what it refuses, and to throttling too.
TEMPORARY = {"InternalServiceError", "RequestLimitExceeded", "RequestTimeout", "ThrottlingException"}
_ARN_REGION = 3


class Source(AWSSecretsManagerSettingsSource):
    """pydantic-settings' source, which tells a secret that is no JSON object from AWS's own errors."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        try:
            return super()._load_env_vars()
        except BotoCoreError:  # some are ValueErrors
            raise
        except (AttributeError, KeyError, ValueError):  # binary, no JSON, or no object; the error quotes it
            raise Fatal("the secret is not text with a JSON object") from None


def ask(secret: str, model: type[BaseSettings], limit: float) -> dict[str, Any]:
    """The secret's values for fields of `model`. `limit` is in seconds, for each answer."""
    session = botocore.session.get_session()
    # pydantic-settings makes its client of the default session. Without this it would ask five times.
    session.set_default_client_config(
        Config(connect_timeout=limit, read_timeout=limit, retries={"total_max_attempts": 1})
    )
    session.register("before-parse.secrets-manager.GetSecretValue", _checked)
    boto3.setup_default_session(botocore_session=session)
    try:
        source = Source(model, secret, region_name=_region(secret), case_sensitive=False)
    except ValueError as error:  # of the client: AWS_REGION, AWS_ENDPOINT_URL
        raise Fatal(line(error)) from None
    return source()


def _checked(response_dict: dict[str, Any], **_: Any) -> None:
    """Raises Away for a 200 that is no answer of AWS: its client takes any text for an answer without a secret."""
    if response_dict["status_code"] != 200:
        return
    answer = content(response_dict["body"])
    if not isinstance(answer, dict) or not answer.keys() & {"SecretString", "SecretBinary"}:
        raise Away("200: the answer has no secret")


def _region(secret: str) -> str | None:
    """The region that an ARN names, or else AWS_REGION, which boto3 doesn't read; None: its own sources say which."""
    parts = secret.split(":")
    if parts[0] == "arn" and len(parts) > _ARN_REGION:
        return parts[_ARN_REGION]
    return os.environ.get("AWS_REGION") or None


def judged(error: Exception) -> Exception | None:
    """What an error means; None for one that is not AWS's."""
    if isinstance(error, ClientError):
        answer: dict[str, Any] = dict(error.response)
        code = answer.get("Error", {}).get("Code", "")
        status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        refused = 400 <= status < 500 and status != 429 and code not in TEMPORARY
        return Fatal(line(error)) if refused else Away(line(error))
    if isinstance(error, ResponseParserError):  # of what gives the credentials; its text quotes the answer
        return Away("the answer of the credentials' service can't be read")
    if isinstance(error, ConnectionError | HTTPClientError | CredentialRetrievalError | MetadataRetrievalError):
        return Away(line(error))
    return Fatal(line(error)) if isinstance(error, BotoCoreError) else None  # no credentials, no region
