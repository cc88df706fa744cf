"""The proxies that are trusted to name a client in `X-Forwarded-For`."""

from collections.abc import Iterator
from ipaddress import IPv4Network, ip_network

EVERYBODY = "*"


def checked(text: str) -> str:
    """Return the setting. Raises ValueError unless it is `*`, or addresses and networks, separated by commas."""
    list(addresses(text))
    return text


def addresses(text: str) -> Iterator[str]:
    """The networks in uvicorn's form; raises ValueError as above.

    A server that listens on both families sees an IPv4 peer as `::ffff:10.0.0.1`, so each IPv4 network is given in both
    forms.
    """
    for each in (part.strip() for part in text.split(",")):
        if each == EVERYBODY:
            yield each
            continue
        try:
            network = ip_network(each)
        except ValueError as error:
            raise ValueError(f"must be addresses or networks, separated by commas: {error}") from None
        yield str(network)
        if isinstance(network, IPv4Network):
            yield f"::ffff:{network.network_address}/{96 + network.prefixlen}"
