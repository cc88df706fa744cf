"""Where secrets are fetched from: the setting `SECRETS_FROM`."""

import re
from dataclasses import dataclass

from warmstart.settings import urls

_FORMS = {
    # A host and perhaps a port, without user, path or query: Key Vault has nothing else, and they could hold a secret.
    "azure": re.compile(r"https://[A-Za-z0-9.-]+(:\d+)?/?"),
    "aws": re.compile(r"[A-Za-z0-9/_+=.@:-]{1,2048}"),  # a name, or an ARN
    "gcp": re.compile(r"[a-z0-9.:-]{1,64}"),  # a project's id, or its number
}
FORMS = "must be azure:https://NAME.vault.azure.net, aws:NAME-OR-ARN or gcp:PROJECT"


@dataclass(frozen=True)
class VaultAddress:
    """A cloud, and in it the URL of a Key Vault, the name or ARN of a secret, or a project."""

    cloud: str
    place: str

    def __str__(self) -> str:
        return f"{self.cloud}:{self.place}"


def parse(text: str) -> VaultAddress:
    """Raises ValueError, which quotes nothing of the text, for another form."""
    cloud, _, place = text.partition(":")
    form = _FORMS.get(cloud)
    if form is None or not form.fullmatch(place):
        raise ValueError(FORMS)
    if cloud == "azure":
        urls.checked(place, FORMS)
    return VaultAddress(cloud, place.rstrip("/") if cloud == "azure" else place)


def checked(text: str) -> str:
    """Return the setting. Raises ValueError as above."""
    parse(text)
    return text
