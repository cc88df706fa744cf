"""What `API_KEYS` holds: one line `NAME sha256:HASH [QUOTA]` for each key, or the keys themselves."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from api.quota_text import checked
from warmstart.http.bearer import digest_of

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # it goes into logs, and into Redis
_HASHED = re.compile(r"(?P<name>\S+)\s+(?P<hashes>sha256:\S+)(?:\s+(?P<quota>.+))?", re.IGNORECASE)
_HASHES = re.compile(r"sha256:[0-9a-f]{64}(?:,sha256:[0-9a-f]{64})*", re.IGNORECASE)
_MEANT = re.compile(
    r"sha256:|\s[a-z0-9]+:[0-9a-f]{32}", re.IGNORECASE
)  # a misspelled hash must not become a key itself
FORM = "must be NAME sha256:HASH, perhaps with a quota, as python -m api.keys writes it"


@dataclass(frozen=True, slots=True)
class Entry:
    """One owner: its digests (two while a key is rotated, the newest last), and its quota if it has its own."""

    name: str
    digests: tuple[bytes, ...]
    quota: str = ""

    def line(self) -> str:
        """The entry as the file has it."""
        hashes = ",".join(f"sha256:{digest.hex()}" for digest in self.digests)
        return " ".join(each for each in (self.name, hashes, self.quota) if each)


def parse(text: str) -> list[Entry]:
    """The entries of a text. Blank lines, and lines that begin with `# `, are comments.

    Raises ValueError, which names the line and quotes nothing of it.
    """
    lines = _lines(text)
    if not _hashed(lines):
        return _plain(_keys(lines))
    entries: list[Entry] = []
    for number, line in lines.items():
        try:
            entries.append(parse_line(line))
        except ValueError as error:
            raise ValueError(f"line {number} {error}") from None
    return _distinct(entries)


def plain_keys(text: str) -> list[str]:
    """The keys of a text that holds them themselves; none of one with names and hashes."""
    lines = _lines(text)
    return [] if _hashed(lines) else _keys(lines)


def _lines(text: str) -> dict[int, str]:
    lines = {number: line.strip() for number, line in enumerate(text.splitlines(), 1)}
    return {number: line for number, line in lines.items() if line and not is_comment(line)}


def _hashed(lines: dict[int, str]) -> bool:
    return any(map(_MEANT.search, lines.values()))


def _keys(lines: dict[int, str]) -> list[str]:
    return " ".join(lines.values()).replace(",", " ").split()


def is_comment(line: str) -> bool:
    """Whether a line, without white space around it, is one; a key may begin with `#`."""
    return line == "#" or line.startswith("# ")


def parse_line(line: str) -> Entry:
    """Raises ValueError, which quotes nothing of the line, unless it is an entry with hashes."""
    found = _HASHED.fullmatch(line)
    if not found or not NAME.fullmatch(found["name"]) or not _HASHES.fullmatch(found["hashes"]):
        raise ValueError(FORM)
    digests = tuple(bytes.fromhex(each[len("sha256:") :]) for each in found["hashes"].split(","))
    return Entry(found["name"], digests, checked(found["quota"] or ""))


def _distinct(entries: list[Entry]) -> list[Entry]:
    seen: set[str | bytes] = set()
    for entry in entries:
        own: tuple[str | bytes, ...] = (entry.name, *entry.digests)
        for each in own:
            if each in seen:
                what = "name" if isinstance(each, str) else "hash"
                raise ValueError(f"holds one {what} twice: that of {entry.name}")
            seen.add(each)
    return entries


def _plain(keys: list[str]) -> list[Entry]:
    if not all(key.isascii() for key in keys):
        raise ValueError("must hold keys of ASCII characters, separated by commas or white space")
    return [Entry(_owner(key), (digest_of(key),)) for key in dict.fromkeys(keys)]


def _owner(key: str) -> str:
    """A name that reveals nothing of the key. Not its index, which changes when another key is removed."""
    return f"key {sha256(b'owner of ' + key.encode()).hexdigest()[:8]}"


def by_digest(entries: list[Entry]) -> Iterator[tuple[bytes, Entry]]:
    """Each digest with its owner."""
    return ((digest, entry) for entry in entries for digest in entry.digests)
