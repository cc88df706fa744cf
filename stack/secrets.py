"""The passwords of a stack: made at its first run, kept in a file that only its owner can read."""

import os
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from stack.errors import StackError

BYTES = 24
_QUOTED = re.compile(r"""(?:'([^']*)'|"([^"]*)")(?:\s+#.*)?""")
_COMMENT = re.compile(r"(?:^|\s+)#.*")
_NAMES = ("POSTGRES_PASSWORD", "REDIS_PASSWORD")


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
    known = read_variables(file, _NAMES)
    missing = [name for name in _NAMES if not known.get(name)]
    if missing:
        made = {name: secrets.token_urlsafe(BYTES) for name in missing}
        _append(file, made)
        known |= made
    file.chmod(0o600)
    return Secrets(postgres=known["POSTGRES_PASSWORD"], redis=known["REDIS_PASSWORD"])


def read_variables(file: Path, names: Collection[str]) -> dict[str, str]:
    """Those of `names` that a file of NAME=value lines has. Raises StackError as `load_secrets` does."""
    if not file.exists():
        return {}
    lines = (line.strip().removeprefix("export ") for line in file.read_text(encoding="utf-8-sig").splitlines())
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    values = {name.strip(): value.strip() for name, value in pairs}
    return {name: _unquoted(name, value, file) for name, value in values.items() if name in names}


def _unquoted(name: str, text: str, file: Path) -> str:
    """The value as docker compose reads it.

    https://docs.docker.com/compose/how-tos/environment-variables/variable-interpolation/
    """
    if quoted := _QUOTED.fullmatch(text):
        single, double = quoted.groups()
        value, forbidden = (double, "$\\") if single is None else (single, "\\")
    else:
        value, forbidden = _COMMENT.sub("", text), "$\\'\""
    if set(forbidden) & set(value):
        raise StackError(
            f"{file}: {name} holds a character that docker compose reads in its own way: "
            f"write {name}='…', which may hold all but ' and \\"
        )
    if not value.isprintable():
        raise StackError(f"{file}: {name} holds a character that can't be typed")
    return value


def _append(file: Path, values: dict[str, str]) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "r+") as out:
        text = out.read()
        if text and not text.endswith("\n"):
            out.write("\n")
        out.writelines(f"{name}={value}\n" for name, value in values.items())
