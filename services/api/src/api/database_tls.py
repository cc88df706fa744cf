"""The options of `DATABASE_URL` for encryption."""

import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

TRUE, FALSE = {"1", "true", "on", "yes"}, {"0", "false", "off", "no"}
MODES = {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}
FILES = {"sslcert", "sslkey", "sslrootcert", "sslcrl", "passfile"}
# asyncpg reads these itself, from a DSN: https://magicstack.github.io/asyncpg/current/api/index.html#connection
OF_DSN = FILES | {"sslpassword", "sslnegotiation", "ssl_min_protocol_version", "ssl_max_protocol_version"}


def is_on(name: str, value: str) -> bool:
    """Whether a switch of a URL is on. Raises ValueError, which names it, for any other word."""
    if value.lower() not in TRUE | FALSE:
        raise ValueError(f"{name}: must be true or false")
    return value.lower() in TRUE


def encryption(options: dict[str, str]) -> dict[str, Any]:
    """Take the options for encryption out of all options; returns keywords for `asyncpg.connect`.

    Raises ValueError, which names the option.
    """
    mode = _mode(options)
    own = {name: options.pop(name) for name in sorted(OF_DSN & set(options))}
    if own.get("sslrootcert") == "system":  # the certificates of the operating system, which libpq 16 knows
        if len(own) > 1 or mode not in (None, "verify-full"):
            raise ValueError("sslrootcert: system goes with sslmode=verify-full and no other file")
        return {"ssl": ssl.create_default_context()}
    if mode in ("verify-ca", "verify-full") and "sslrootcert" not in own:
        raise ValueError(f"sslmode: {mode} needs sslrootcert: a file, or system with verify-full")
    for name in FILES & set(own):
        _require(name, own[name])
    driver = {"ssl": mode} if mode else {}
    if own:
        driver["dsn"] = f"postgresql://?{urlencode(own)}"
    return driver


def _mode(options: dict[str, str]) -> str | None:
    """`ssl` is asyncpg's spelling, and JDBC's as a switch; `sslmode` is libpq's."""
    switch = options.pop("ssl", None)
    if switch and switch not in MODES:
        switch = "require" if is_on("ssl", switch) else "disable"
    mode = options.pop("sslmode", switch)
    if mode and mode not in MODES:
        raise ValueError(f"sslmode: must be one of {', '.join(sorted(MODES))}")
    return mode


def _require(name: str, file: str) -> None:
    if not Path(file).is_file():
        raise ValueError(f"{name}: there is no such file")
    if name == "sslrootcert":
        try:
            ssl.create_default_context(cafile=file)
        except (OSError, ValueError):
            raise ValueError(f"{name}: holds no certificate") from None
