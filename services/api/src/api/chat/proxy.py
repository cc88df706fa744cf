"""The proxy before the chat server, where the environment names one.

Not by aiohttp's `trust_env`, which would also send passwords of a .netrc to the chat server.
"""

from ipaddress import ip_address
from urllib.request import getproxies, proxy_bypass

from yarl import URL

from api.chat.errors import ChatUnavailable


def proxy_for(url: URL) -> URL | None:
    """The proxy of HTTPS_PROXY or HTTP_PROXY, by the scheme of `url`, unless NO_PROXY names its host.

    An address of this machine has none, as in Go's and Kubernetes' clients. Raises ChatUnavailable for a variable
    that can't be used, and doesn't quote it: it may hold a password.
    """
    named = getproxies().get(url.scheme)
    if not named or _is_here(url.host or "") or proxy_bypass(f"{url.host}:{url.port}"):
        return None
    try:
        proxy = URL(named)
    except ValueError:
        proxy = URL()
    if proxy.scheme not in ("http", "https") or not proxy.host:
        raise ChatUnavailable(f"{url.scheme.upper()}_PROXY must be http://host:port or https://host:port")
    return proxy


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
