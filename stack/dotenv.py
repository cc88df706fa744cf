"""A file of NAME=value lines, such as .env, read as docker compose reads it."""

import logging
import re
from collections.abc import Collection
from functools import cache
from pathlib import Path

from stack.errors import StackError

log = logging.getLogger(__name__)

PASSWORDS = ("POSTGRES_PASSWORD", "REDIS_PASSWORD")
# A value between quotes may have several lines; whatever else begins with a quote ends with its line.
_ASSIGNMENT = re.compile(
    r"""^\s*(?:export\s)?\s*([^=#\n][^=\n]*)=[^\S\n]*"""
    r"""((?:'(?:[^'\\]|\\[\s\S])*'|"(?:[^"\\]|\\[\s\S])*")(?=[^\S\n]*(?:[^\S\n]#.*)?$)|.*$)""",
    re.MULTILINE,
)
_QUOTED = re.compile(r"""(?:'([^']*)'|"([^"]*)")(?:\s+#.*)?""")
_COMMENT = re.compile(r"(?:^|\s+)#.*")


def read_settings(file: Path, names: Collection[str] | None = None) -> dict[str, str]:
    """Those of `names`, or all, without the passwords; what only docker compose can read is named, and left out."""
    found = {}
    for name, text in _assignments(file).items():
        if name.isidentifier() and name not in PASSWORDS and (names is None or name in names):
            try:
                found[name] = _unquoted(name, text, file)
            except StackError as error:
                _warn(str(error))
    return found


def read_variables(file: Path, names: Collection[str]) -> dict[str, str]:
    """Those of `names` that the file has. Raises StackError for a value that compose would read in another way."""
    return {name: _unquoted(name, text, file) for name, text in _assignments(file).items() if name in names}


def _assignments(file: Path) -> dict[str, str]:
    """Names, and their values as they stand there. Bytes that are no text fail later, if they are asked for."""
    if not file.exists():
        return {}
    text = file.read_text(encoding="utf-8-sig", errors="surrogateescape")
    return {name.strip(): value.strip() for name, value in _ASSIGNMENT.findall(text)}


@cache  # once for each command: compose's are several
def _warn(text: str) -> None:
    log.warning("%-9s %s; the stack leaves it out", "settings", text)


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
    lines = value if name in PASSWORDS else value.replace("\n", " ").replace("\t", " ")  # of a list of keys, say
    if not lines.isprintable():
        raise StackError(f"{file}: {name} holds a character that can't be typed")
    return value
