"""HTTP headers in one setting, in the form of OpenTelemetry's variables: `name=value,name=value`, percent-encoded."""

import re
from urllib.parse import unquote

from pydantic import SecretStr

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.1
_VALUE = re.compile(r"[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?")


def headers(secret: SecretStr) -> dict[str, str]:
    """The headers. Raises ValueError, which quotes nothing of the text, for another form."""
    pairs = [each.strip().partition("=") for each in secret.get_secret_value().split(",") if each.strip()]
    found = {name.strip().lower(): unquote(value.strip()) for name, _, value in pairs}
    if not found or not all(_NAME.fullmatch(name) and _VALUE.fullmatch(value) for name, value in found.items()):
        raise ValueError("must be name=value, or several of them with commas between; values are percent-encoded")
    return found
