"""The passwords of a stack: made on its first run, kept in a file that only its owner can read."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

BYTES = 24
_NAMES = ("POSTGRES_PASSWORD", "REDIS_PASSWORD")


@dataclass(frozen=True)
class Secrets:
    """They are URL-safe, and never shown by repr."""

    postgres: str
    redis: str

    def __repr__(self) -> str:
        return "Secrets(…)"


def load_secrets(file: Path) -> Secrets:
    """Read the passwords from a file of NAME=value lines, adding those that it lacks."""
    known = _read(file)
    missing = [name for name in _NAMES if not known.get(name)]
    if missing:
        made = {name: secrets.token_urlsafe(BYTES) for name in missing}
        _append(file, made)
        known |= made
    file.chmod(0o600)
    return Secrets(postgres=known["POSTGRES_PASSWORD"], redis=known["REDIS_PASSWORD"])


def _read(file: Path) -> dict[str, str]:
    if not file.exists():
        return {}
    lines = (line.strip() for line in file.read_text().splitlines())
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, value in pairs}


def _append(file: Path, values: dict[str, str]) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "r+") as out:
        text = out.read()
        if text and not text.endswith("\n"):
            out.write("\n")
        out.writelines(f"{name}={value}\n" for name, value in values.items())
