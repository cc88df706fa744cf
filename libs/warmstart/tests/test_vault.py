"""What is fetched from Azure Key Vault, and which failures can heal."""

from collections.abc import Iterator
from http.client import BadStatusLine
from pathlib import Path

import pytest
from pydantic import Field, SecretStr

from drills.certificates import no_certificates
from tests.harness.key_vault import KeyVault, key_vault
from warmstart import Fatal, ServiceSettings
from warmstart.settings.vault_address import VaultAddress, parse
from warmstart.vault.errors import Away
from warmstart.vault.fetch import fetch
from warmstart.vault.fill import filled, lacking
from warmstart.vault.load import load

pytest.importorskip("azure.keyvault.secrets")

from azure.core.exceptions import ClientAuthenticationError, ServiceResponseError

from warmstart.vault.azure import judged

pytestmark = pytest.mark.skipif(bool(no_certificates()), reason=str(no_certificates()))


class Settings(ServiceSettings):
    """Two secrets more."""

    first_secret: SecretStr = SecretStr("default")
    many: list[SecretStr] = Field([])


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KeyVault]:
    """One that this process may read."""
    with key_vault(tmp_path) as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        yield running


def test_secrets_are_found_by_their_names(vault: KeyVault) -> None:
    """A dash is an underscore, and case doesn't matter; disabled and unknown secrets are left out, and never read."""
    vault.secrets = {"Nobodys": "x", "FIRST-Secret": " one\n", "many": '["a"]', "disabled": None, "others": "y"}
    found = fetch(parse(vault.address), ["first_secret", "many", "disabled", "absent"])
    assert found == {"first_secret": "one", "many": '["a"]'}
    assert [*filter("/secrets".__ne__, vault.asked)] == ["/secrets/FIRST-Secret/", "/secrets/many/"]
    settings = filled(Settings(), found)
    assert (settings.first_secret.get_secret_value(), settings.many[0].get_secret_value()) == ("one", "a")


def test_the_vault_comes_last(vault: KeyVault, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A variable and a file beat it: it isn't even asked for what they give."""
    (tmp_path / "keys").write_text("from-file")
    monkeypatch.setenv("OPERATOR_KEYS_FILE", str(tmp_path / "keys"))
    monkeypatch.setenv("FIRST_SECRET", "from-variable")
    vault.secrets = {"operator-keys": "vault", "first-secret": "vault", "otel-exporter-otlp-headers": "a=b"}
    settings = load(Settings)
    assert settings.operator_keys
    assert settings.operator_keys.get_secret_value() == "from-file"
    assert settings.first_secret.get_secret_value() == "from-variable"
    assert settings.otel_exporter_otlp_headers
    assert "/secrets/first-secret/" not in vault.asked


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_refusal_is_for_good(vault: KeyVault, status: int) -> None:
    """It names the vault and the vault's reason."""
    vault.always = status
    with pytest.raises(Fatal, match=f"^{vault.address}: {status}: .*a test refuses it"):
        fetch(parse(vault.address), ["first_secret"])


@pytest.mark.parametrize(("status", "after", "wait"), [(429, 7, 7), (429, None, 0), (503, 2, 2), (500, None, 0)])
def test_throttling_and_errors_may_pass(vault: KeyVault, status: int, after: int | None, wait: float) -> None:
    """The client library asks once, so that the caller can count; what `Retry-After` says is told."""
    vault.secrets = {"first-secret": "one"}
    vault.answers = [(status, after)]
    with pytest.raises(Away, match=f"^{vault.address}: {status}") as away:
        fetch(parse(vault.address), ["first_secret"])
    assert away.value.retry_after == wait
    assert len(vault.asked) == 1
    assert fetch(parse(vault.address), ["first_secret"]) == {"first_secret": "one"}


def test_a_secret_that_cannot_be_read_is_no_default(vault: KeyVault) -> None:
    """Throttled between the list of names and a value, the fetch fails: the setting would have its default."""
    vault.secrets = {"first-secret": "one"}

    class AfterList(list[tuple[int, int | None]]):
        """Answers that come after the first request."""

        def __bool__(self) -> bool:
            return len(vault.asked) > 1 and len(self) > 0

    vault.answers = AfterList([(429, 1)])
    with pytest.raises(Away, match="429"):
        fetch(parse(vault.address), ["first_secret"])


@pytest.mark.parametrize("path", ["/secrets", "/secrets/first-secret/"])
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{}", "the answer has no value"),
        (b'{"value": null}', "the answer has no value"),
        (b'["s3cret"]', "the answer has no value"),
        (b"<html>s3cret</html>", "the answer is no JSON"),
        (b'{"value": "s3cret', "the answer is no JSON"),
        (b'{"value": "s3cret\xff"}', "the answer is no JSON"),
    ],
)
def test_an_answer_that_is_not_the_vaults_is_no_default(vault: KeyVault, path: str, body: bytes, reason: str) -> None:
    """A 200 without a value, or of a proxy, counts as a vault that is away, and not as one that lacks the secret."""
    vault.secrets = {"first-secret": "one"}
    vault.bodies = {path: body}
    with pytest.raises(Away) as away:
        fetch(parse(vault.address), ["first_secret"])
    assert str(away.value) == f"{vault.address}: 200: {reason}"
    vault.bodies.clear()
    assert fetch(parse(vault.address), ["first_secret"]) == {"first_secret": "one"}


def test_a_vault_that_is_away_may_come_back(vault: KeyVault) -> None:
    """A refused connection."""
    vault.leave()
    with pytest.raises(Away, match="refused"):
        fetch(parse(vault.address), ["first_secret"])


def test_a_vault_of_another_authority(vault: KeyVault, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its certificate is refused before a token is sent."""
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    with pytest.raises(Away, match="CERTIFICATE_VERIFY_FAILED"):
        fetch(parse(vault.address), ["first_secret"])
    assert vault.asked == []


def test_no_credentials(vault: KeyVault, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing gives a token: waiting can't help."""
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    with pytest.raises(Fatal, match="no credentials"):
        fetch(parse(vault.address), ["first_secret"])


def test_an_identity_that_is_away(vault: KeyVault, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may come back: a platform can start a container before its identity answers. Its reason is told."""
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "prod")
    monkeypatch.setenv("IDENTITY_ENDPOINT", "http://127.0.0.1:1/msi/token")
    with pytest.raises(Away, match=f"^{vault.address}: ManagedIdentityCredential: .*refused"):
        fetch(parse(vault.address), ["first_secret"])


def test_credentials_that_are_refused() -> None:
    """Microsoft Entra ID has answered: for good."""
    said = (
        "Attempted credentials:\n\tEnvironmentCredential: Authentication failed: AADSTS7000215: Invalid client secret\n"
    )
    with pytest.raises(Fatal, match="AADSTS7000215"):
        raise judged(ClientAuthenticationError(said)) or AssertionError


@pytest.mark.parametrize(
    "error", [BadStatusLine("s3cret\r\n"), "InvalidChunkLength(got length b's3cret', 0 bytes read)"]
)
def test_an_answer_that_is_no_http_is_not_quoted(error: object) -> None:
    """It may be the rest of an answer with a secret; the kind of the error is told."""
    with pytest.raises(Away, match=r"Connection aborted.*(BadStatusLine|InvalidChunkLength)") as away:
        raise judged(ServiceResponseError(f"('Connection aborted.', {error!r})")) or AssertionError
    assert "s3cret" not in str(away.value)


def test_an_empty_secret(vault: KeyVault) -> None:
    """It was meant to be set."""
    vault.secrets = {"first-secret": " "}
    with pytest.raises(Fatal, match=f"^{vault.address}: FIRST_SECRET is empty"):
        fetch(parse(vault.address), ["first_secret"])


@pytest.mark.parametrize("value", ["a\0b", "\ufeffone", "one\x1b[0m"])
def test_a_secret_with_invisible_characters(vault: KeyVault, value: str) -> None:
    """It is refused as it is in a file: whoever compares it would never find out why it differs."""
    vault.secrets = {"first-secret": value}
    with pytest.raises(Fatal, match=f"^{vault.address}: FIRST_SECRET is not text$"):
        fetch(parse(vault.address), ["first_secret"])


def test_a_value_that_is_no_setting(vault: KeyVault) -> None:
    """The setting and the vault are named, the value is not."""
    vault.secrets = {"otel-exporter-otlp-headers": "s3cret"}
    settings = Settings()
    with pytest.raises(Fatal) as refused:
        filled(settings, fetch(parse(vault.address), lacking(settings)))
    assert str(refused.value).startswith(f"{vault.address}: OTEL_EXPORTER_OTLP_HEADERS: must be name=value")
    assert "s3cret" not in str(refused.value)


def test_a_command_line_waits_for_the_vault(
    vault: KeyVault, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It asks again while SECRETS_TIMEOUT lasts, and ends with one line and status 3."""
    vault.secrets = {"first-secret": "one"}
    vault.answers = [(429, 0), (503, None)]
    assert load(Settings).first_secret.get_secret_value() == "one"
    monkeypatch.setenv("SECRETS_TIMEOUT", "0.5")
    vault.leave()
    with pytest.raises(SystemExit) as left:
        load(Settings)
    assert left.value.code == 3
    told = capsys.readouterr().err
    assert told.startswith(f"SECRETS_FROM: {vault.address}: ")
    assert told.count("\n") == 1


def test_a_command_line_does_not_wait_for_a_silent_vault(
    vault: KeyVault, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A vault that takes the connection and says nothing is given up when SECRETS_TIMEOUT is over."""
    monkeypatch.setattr("warmstart.vault.fetch.LIMIT", 600)  # that of the client library is no limit of the whole
    monkeypatch.setenv("SECRETS_TIMEOUT", "0.5")
    vault.talks.clear()
    with pytest.raises(SystemExit) as left:
        load(Settings)
    assert left.value.code == 3
    assert capsys.readouterr().err == f"SECRETS_FROM: {vault.address}: no answer in time\n"


@pytest.mark.parametrize(
    ("text", "cloud"),
    [
        ("azure:https://name.vault.azure.net", "azure"),
        ("azure:https://name.vault.azure.net/", "azure"),
        ("aws:prod/warmstart", "aws"),
        ("aws:arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/warmstart-AbCdEf", "aws"),
        ("gcp:my-project-1", "gcp"),
    ],
)
def test_addresses(text: str, cloud: str) -> None:
    """One setting names cloud and place."""
    address = parse(text)
    assert isinstance(address, VaultAddress)
    assert address.cloud == cloud
    assert str(address) == text.rstrip("/")


@pytest.mark.parametrize(
    "text",
    [
        "azure:http://name.vault.azure.net",
        "azure:https://user:pass@name.vault.azure.net",
        "azure:https://name.vault.azure.net/secrets/x?sig=y",
        "azure:https://name.vault.azure.net:99999",
        "azure:name",
        "vault:x",
        "aws:",
        "gcp:a b",
        "https://name.vault.azure.net",
    ],
)
def test_other_addresses_are_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The text may hold a credential, and is not quoted."""
    monkeypatch.setenv("SECRETS_FROM", text)
    with pytest.raises(ValueError, match=r"azure:https://NAME\.vault\.azure\.net, aws:NAME-OR-ARN") as refused:
        ServiceSettings()
    assert "pass" not in str(refused.value)


def test_the_limit_is_below_that_of_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise it would never be told."""
    monkeypatch.setenv("SECRETS_FROM", "gcp:project")
    monkeypatch.setenv("SECRETS_TIMEOUT", "60")
    with pytest.raises(ValueError, match="SECRETS_TIMEOUT must be less than STARTUP_TIMEOUT"):
        ServiceSettings()
