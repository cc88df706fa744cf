"""Google Secret Manager: each secret is a secret of the project, such as DATABASE_URL, in any case.

The names are listed, which needs the role Secret Manager Viewer beside Secret Accessor: without the list, a secret that
nobody made and one that this service may not read get the same answer, 403.
"""

from typing import Any

import google.auth
from google.api_core.exceptions import ClientError, GoogleAPICallError, TooManyRequests
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
from google.cloud.secretmanager import AccessSecretVersionResponse, SecretManagerServiceClient
from google.cloud.secretmanager_v1.services.secret_manager_service.pagers import ListSecretsPager
from google.protobuf.json_format import ParseError
from pydantic_settings import BaseSettings, GoogleSecretManagerSettingsSource
from requests.exceptions import RequestException

from warmstart.lifecycle.fatal import Fatal
from warmstart.vault.errors import NO_JSON, Away, line

LOGGERS = ("google", "urllib3")


class Client(SecretManagerServiceClient):
    """Google's client, which asks once, and waits `limit` seconds for each answer.

    It remembers that a secret could not be read: pydantic-settings takes it for one that is not there (its pull request
    712), and the setting would silently have its default.
    """

    limit = 5.0
    failure: Exception | None = None

    def list_secrets(self, *arguments: Any, **options: Any) -> ListSecretsPager:
        """The project's secrets."""
        return super().list_secrets(*arguments, **{"retry": None, "timeout": self.limit, **options})

    def access_secret_version(self, *arguments: Any, **options: Any) -> AccessSecretVersionResponse:
        """The value of one."""
        try:
            answer = super().access_secret_version(*arguments, **{"retry": None, "timeout": self.limit, **options})
        except Exception as error:
            self.failure = error
            raise
        if "payload" not in answer:
            self.failure = Away("200: the answer has no value")
        return answer


def ask(project: str, model: type[BaseSettings], limit: float) -> dict[str, Any]:
    """The project's values for fields of `model`. `limit` is in seconds, for each answer."""
    credentials, _ = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
    client = Client(credentials=credentials, transport="rest")
    client.limit = limit
    with client:
        return ask_with(client, project, model)


def ask_with(client: Client, project: str, model: type[BaseSettings]) -> dict[str, Any]:
    """The same, with a client."""
    source = GoogleSecretManagerSettingsSource(model, project_id=project, secret_client=client, case_sensitive=False)
    found = source()
    if client.failure:
        raise client.failure
    there = {name.lower() for name in source.env_vars}
    if unread := [name.upper() for name in model.model_fields if name in there and name not in found]:
        raise Fatal(f"not text: {', '.join(unread)}")
    return found


def judged(error: Exception) -> Exception | None:
    """What an error means; None for one that is not Google's."""
    if isinstance(error, ParseError | UnicodeDecodeError):  # of a 200; its text quotes the answer
        return Away(NO_JSON)
    if isinstance(error, GoogleAPICallError):
        refused = isinstance(error, ClientError) and not isinstance(error, TooManyRequests)
        return Fatal(line(error)) if refused else Away(line(error))
    if isinstance(error, DefaultCredentialsError):
        return Fatal(f"no credentials: {line(error)}")
    if isinstance(error, GoogleAuthError):
        return Away(line(error)) if error.retryable else Fatal(line(error))
    return Away(line(error)) if isinstance(error, RequestException) else None
