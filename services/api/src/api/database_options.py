"""The options of `DATABASE_URL`.

Managed services hand out URLs for libpq, whose options asyncpg and SQLAlchemy know in part, or under other names.
Each option is translated or refused by its name, at once: an option that fails while connecting is retried for the
whole start-up.
"""

from collections.abc import Callable, Mapping
from typing import Any

from api.database_tls import encryption, is_on

NUMBERS: Mapping[str, Callable[[str], float]] = {
    "timeout": float,
    "command_timeout": float,
    "statement_cache_size": int,
    "max_cached_statement_lifetime": int,
    "max_cacheable_statement_size": int,
    "prepared_statement_cache_size": int,
}
CACHES_OF_DIALECT = {"prepared_statement_cache_size"}
SERVER_SETTINGS = {
    "application_name",
    "options",
    "search_path",
    "timezone",
    "jit",
    "work_mem",
    "statement_timeout",
    "lock_timeout",
    "idle_session_timeout",
    "idle_in_transaction_session_timeout",
    "transaction_timeout",
}
# Options that ask for what asyncpg does anyway: they are accepted and change nothing.
SAME_AS_HERE = {
    "channel_binding": {"prefer", "disable"},
    "gssencmode": {"prefer", "disable"},
    "client_encoding": {"utf8", "utf-8", "auto"},
    "sslcompression": {"0"},
    "sslsni": {"1"},
    "load_balance_hosts": {"disable"},
}
INSTEAD = {
    "channel_binding": "asyncpg has none; sslmode=verify-full proves whom it talks to",
    "connection_limit": "set DATABASE_POOL_SIZE",
    "pool_size": "set DATABASE_POOL_SIZE",
    "prepared_statement_name_func": "behind a pooler prepared_statement_cache_size=0 is enough",
    "schema": "use search_path",
    "server_settings": "use options=-c name=value",
}
# https://www.postgresql.org/docs/current/libpq-connect.html; the others may choose a server that can't write
SESSIONS = {"any", "read-write", "primary"}


def translate(options: dict[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Keywords for `asyncpg.connect` and for SQLAlchemy's wrapper. Raises ValueError, which names the option."""
    options = _in_our_words(options)
    driver, dialect = encryption(options), dict[str, Any]()
    pooled = is_on("pgbouncer", options.pop("pgbouncer", "false"))
    for name, value in options.items():
        if name in NUMBERS:
            (dialect if name in CACHES_OF_DIALECT else driver)[name] = _number(name, value)
        elif name in SERVER_SETTINGS:
            driver.setdefault("server_settings", {})[name] = value
        elif name == "target_session_attrs" and value in SESSIONS:
            driver[name] = value
        elif value.lower() not in SAME_AS_HERE.get(name, set()):
            raise ValueError(f"{name}: {_refusal(name)}")
    if pooled or 0 in (dialect.get("prepared_statement_cache_size"), driver.get("statement_cache_size")):
        # A pooler hands each transaction to any server connection. Without both caches statements have no name,
        # and each is prepared and run within one transaction.
        dialect["prepared_statement_cache_size"] = 0
        driver["statement_cache_size"] = 0
    return driver, dialect


def _in_our_words(options: dict[str, str]) -> dict[str, str]:
    """Rename libpq's options to those of asyncpg."""
    options = dict(options)
    if "connect_timeout" in options:
        seconds = options.pop("connect_timeout")
        if seconds != "0":  # for libpq no limit; here the default limit
            options["timeout"] = seconds
    if "fallback_application_name" in options:
        options.setdefault("application_name", options.pop("fallback_application_name"))
    return options


def _refusal(name: str) -> str:
    if name in INSTEAD:
        return f"not possible here: {INSTEAD[name]}"
    allowed = SESSIONS if name == "target_session_attrs" else SAME_AS_HERE.get(name)
    return f"must be one of {', '.join(sorted(allowed))}" if allowed else "no option that this service knows"


def _number(name: str, value: str) -> float:
    try:
        number = NUMBERS[name](value)
    except ValueError:
        raise ValueError(f"{name}: must be a number") from None
    if not 0 <= number < 2**31 or (number == 0 and name.endswith("timeout")):
        raise ValueError(f"{name}: must be more than 0")
    return number
