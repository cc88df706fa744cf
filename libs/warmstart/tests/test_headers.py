"""Headers that come in one setting."""

import pytest
from pydantic import SecretStr, ValidationError

from warmstart import ServiceSettings
from warmstart.settings.headers import headers


def test_they_are_read_as_opentelemetry_writes_them() -> None:
    """Names are lower-cased, values percent-decoded, white space around both is nothing."""
    given = SecretStr("Authorization=Bearer%20abc, x-tenant = one%2Ctwo")
    assert headers(given) == {"authorization": "Bearer abc", "x-tenant": "one,two"}


@pytest.mark.parametrize(
    "text", ["Authorization: Bearer hidden", "=hidden", "a=", ",", "a=hidden%0D%0Ab", "a b=hidden"]
)
def test_another_form_ends_the_start_and_is_not_quoted(text: str) -> None:
    """A colon in the place of the equals sign, a line end or an empty name is a bad setting that nobody can read."""
    with pytest.raises(ValidationError) as raised:
        ServiceSettings(otel_exporter_otlp_headers=SecretStr(text))
    assert "hidden" not in str(raised.value)
    assert "name=value" in str(raised.value)
