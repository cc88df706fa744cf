"""The passwords of a stack: made at its first run, kept in a file that only its owner can read."""

import fcntl
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from stack.dotenv import PASSWORDS, read_variables

BYTES = 24


@dataclass(frozen=True)
class Secrets:
    """Generated passwords are URL-safe; a user's own may hold any character. Never shown by repr."""

    postgres: str
    redis: str

    def __repr__(self) -> str:
        return "Secrets(…)"


def load_secrets(file: Path) -> Secrets:
    """Read the passwords from a file of NAME=value lines, adding those that it lacks.

    Raises:
        StackError: docker compose, which reads the file too, would read another value for one of them.
    """
    known = read_variables(file, PASSWORDS)
    if not all(known.get(name) for name in PASSWORDS):
        known = _completed(file)
    file.chmod(0o600)
    return Secrets(postgres=known["POSTGRES_PASSWORD"], redis=known["REDIS_PASSWORD"])


def _completed(file: Path) -> dict[str, str]:
    """The passwords, those made that the file lacks; another first command, which may add them too, is waited for."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "r+", encoding="utf-8", errors="surrogateescape") as out:
        fcntl.flock(out, fcntl.LOCK_EX)
        known = read_variables(file, PASSWORDS)
        made = {name: secrets.token_urlsafe(BYTES) for name in PASSWORDS if not known.get(name)}
        text = out.read()
        if made and text and not text.endswith("\n"):
            out.write("\n")
        out.writelines(f"{name}={value}\n" for name, value in made.items())
    return known | made
