"""Azure Key Vault: each secret is a secret of the vault, `DATABASE-URL` for DATABASE_URL, in any case.

Key Vault allows no underscore in a name. Disabled secrets are left out by pydantic-settings' source, which lists the
names and fetches those of settings one by one.
"""

import re
from collections.abc import Mapping
from typing import Any

from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError
from azure.core.pipeline import PipelineResponse
from azure.identity import CredentialUnavailableError, DefaultAzureCredential
from azure.keyvault.secrets import SecretClient
from pydantic_settings import AzureKeyVaultSettingsSource, BaseSettings
from pydantic_settings.sources.providers.azure import AzureKeyVaultMapping

from warmstart.lifecycle.fatal import Fatal
from warmstart.vault.errors import Away, content, line, seconds

LOGGERS = ("azure", "msal", "urllib3")  # they write lines with URLs, and several for one failure
TEMPORARY = {408, 425, 429}  # of the statuses below 500
# azure-identity tells in one text what each credential said, on a line of its own, and nothing else tells them apart.
ABSENT = re.compile("unavailable|not found on path|not installed|could not be found|to be installed")
REFUSED = "AADSTS"  # with which each error of Microsoft Entra ID begins


class Source(AzureKeyVaultSettingsSource):
    """pydantic-settings' source with a given client: its own waits 300 s for an answer, and asks ten times more."""

    def __init__(self, model: type[BaseSettings], url: str, credential: TokenCredential, client: SecretClient) -> None:
        self._client = client
        super().__init__(model, url, credential, dash_to_underscore=True, case_sensitive=False)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return AzureKeyVaultMapping(self._client, case_sensitive=False, snake_case_conversion=False, env_prefix=None)


def ask(url: str, model: type[BaseSettings], limit: float) -> dict[str, Any]:
    """The vault's values for fields of `model`. `limit` is in seconds, for each answer."""
    options: dict[str, Any] = {"retry_total": 0, "connection_timeout": limit, "read_timeout": limit}
    with (
        DefaultAzureCredential(**options) as credential,
        SecretClient(url, credential, raw_response_hook=_checked, **options) as client,
    ):
        return Source(model, url, credential, client)()


def _checked(response: PipelineResponse[Any, Any]) -> None:
    """Raises Away for a 200 that is no answer of Key Vault, such as a page of a proxy.

    Its client takes an object without `value` for an empty list or a secret without a value: settings would silently
    have their defaults.
    """
    if response.http_response.status_code != 200:
        return
    answer = content(response.http_response.content)
    if not isinstance(answer, dict) or not isinstance(answer.get("value"), str | list):
        raise Away("200: the answer has no value")


def judged(error: Exception) -> Exception | None:
    """What an error means; None for one that is not the vault's."""
    if isinstance(error, CredentialUnavailableError):
        return Fatal(f"no credentials: {line(error.message)}")
    if isinstance(error, HttpResponseError):
        return _judged_answer(error)
    return Away(line(error)) if isinstance(error, AzureError) else None


def _judged_answer(error: HttpResponseError) -> Exception:
    status, said = error.status_code, line(error.message)
    if status is None:
        return _judged_token(error.message) if isinstance(error, ClientAuthenticationError) else Away(said)
    if status < 500 and status not in TEMPORARY:
        return Fatal(f"{status}: {said}")
    headers: Mapping[str, str] = getattr(error.response, "headers", {})
    return Away(f"{status}: {said}", seconds(headers.get("Retry-After")))


def _judged_token(message: str) -> Exception:
    """No token: refused, or nothing to ask with, which is for good; or whom to ask is away."""
    said = [each.strip() for each in message.splitlines() if each.startswith("\t")]
    tried = [each for each in said if not ABSENT.search(each)]
    if said and not tried:
        return Fatal(f"no credentials: {line(message)}")
    why = line("; ".join(tried) or message)
    return Fatal(why) if REFUSED in message else Away(why)
