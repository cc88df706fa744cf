"""The check of all settings that are URLs of HTTP servers, so that one which can't work is refused at the start."""

import re
from ipaddress import IPv6Address
from urllib.parse import urlsplit

NAME = re.compile(r"[\w-]+(\.[\w-]+)*\.?")
WITHOUT = "without user, password, query"  # the end of each form
PORT = "the port must be from 1 to 65535"


def checked(text: str, form: str) -> str:
    """Return the URL. Raises ValueError, which quotes nothing of it, unless it is of this form.

    It has http or https, a host, perhaps a port and a path, and nothing else: user, password and query may be secrets,
    and no setting of a URL is hidden.
    """
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and "@" not in parts.netloc and _is_host(parts.hostname or "")
    except ValueError:  # its text may hold a password
        good = False
    if not good or any(each in text for each in " ?#\\") or not text.isprintable():
        raise ValueError(form)
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise ValueError(f"{form}; {PORT}")
    return text


def _is_host(host: str) -> bool:
    """Raises ValueError for what is no IPv6 address, or has a label of no letter or of more than 63."""
    if ":" in host:
        return bool(IPv6Address(host))
    return bool(NAME.fullmatch(host) and host.encode("idna"))
