"""The addresses that a service listens on, of both IP families where the host has both."""

import errno
import socket

ABSENT = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)  # the kernel lacks the family, or the address


def checked(host: str) -> str:
    """Return the setting. Raises ValueError for a name without an address, which gunicorn would try to bind."""
    for each in host.split(","):
        try:
            socket.getaddrinfo(each, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise ValueError(f"{each} has no address: {getattr(error, 'strerror', None) or error}") from None
    return host


def binds(host: str, port: int) -> list[str]:
    """Addresses as gunicorn wants them, of a `host` such as `0.0.0.0,::`.

    Of several, an IPv6 address that this machine doesn't have is left out: one image serves clusters of either family,
    and hosts whose kernel has no IPv6.
    """
    hosts = host.split(",")
    usable = [each for each in hosts if ":" not in each or _is_here(each)] or hosts
    return [f"[{each}]:{port}" if ":" in each else f"{each}:{port}" for each in usable]


def _is_here(host: str) -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind((host, 0))
    except OSError as error:
        return error.errno not in ABSENT
    return True
