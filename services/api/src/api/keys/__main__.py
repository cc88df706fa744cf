"""The command line: `python -m api.keys new NAME`. Its file is that of API_KEYS_FILE, or of `--file`."""

import argparse
import os
import secrets
import sys
from collections.abc import Sequence
from dataclasses import replace as changed
from pathlib import Path

from api.keys import file
from api.keys.entries import NAME, Entry
from api.quota_text import checked
from warmstart.http.bearer import digest_of

BYTES = 32  # of a key: 256 bits
PREFIX = "wsk_"  # by which scanners for leaked secrets, and people, know one


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The command and its options; argparse writes what is wrong with them, and exits with status 2."""
    parser = argparse.ArgumentParser("python -m api.keys", description="Make, rotate and revoke API keys.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    told = {
        "new": "make a key, print it once, and append its hash to the file; without a file, print the line for it",
        "rotate": "make a second key for a name; the first one counts until it is revoked",
        "revoke": "remove a name, or only the older one of its two keys",
        "list": "show names, the beginnings of their hashes, and quotas",
    }
    parsers = {name: commands.add_parser(name, help=text, description=text) for name, text in told.items()}
    for name, each in parsers.items():
        # Empty is as unset, as for the api.
        each.add_argument("--file", type=Path, default=os.environ.get("API_KEYS_FILE") or None, help="%(default)s")
        if name != "list":
            each.add_argument("name", type=a_name, metavar="NAME")
    parsers["new"].add_argument("--quota", type=a_quota, default="", help="such as 600/minute, in place of QUOTA")
    parsers["revoke"].add_argument("--older", action="store_true", help="only the key that was rotated")
    given = parser.parse_args(arguments)
    if given.file is None and given.command != "new":
        parser.error("name the file: API_KEYS_FILE, or --file")
    return given


def a_name(text: str) -> str:
    """Raises ArgumentTypeError for another text."""
    if not NAME.fullmatch(text):
        raise argparse.ArgumentTypeError("must be 1 to 64 of A-Z a-z 0-9 . _ - and begin with a letter or digit")
    return text


def a_quota(text: str) -> str:
    """Raises ArgumentTypeError for another text."""
    try:
        return checked(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def run(given: argparse.Namespace) -> None:
    """Do the command. Raises OSError, or Mistake."""
    match given.command:
        case "new":
            key = PREFIX + secrets.token_urlsafe(BYTES)
            entry = Entry(given.name, (digest_of(key),), given.quota)
            if given.file:
                file.add(given.file, entry)
            _hand_out(
                key, f"its hash is in {given.file}" if given.file else f"add this line to your file:\n{entry.line()}"
            )
        case "rotate":
            key = PREFIX + secrets.token_urlsafe(BYTES)
            file.replace(given.file, given.name, lambda known: _with_second(known, digest_of(key)))
            _hand_out(key, f"the former one counts until: python -m api.keys revoke {given.name} --older")
        case "revoke":
            file.replace(given.file, given.name, _newest if given.older else lambda _: None)
        case _:
            for each in file.read(given.file):
                beginnings = ",".join(digest.hex()[:8] for digest in each.digests)
                sys.stdout.write(f"{each.name:24} {beginnings:18} {each.quota}".rstrip() + "\n")


def _with_second(known: Entry, digest: bytes) -> Entry:
    if len(known.digests) > 1:
        raise file.Mistake(f"{known.name} has two keys already: python -m api.keys revoke {known.name} --older")
    return changed(known, digests=(*known.digests, digest))


def _newest(known: Entry) -> Entry:
    if len(known.digests) == 1:
        raise file.Mistake(f"{known.name} has one key only")
    return changed(known, digests=known.digests[-1:])


def _hand_out(key: str, said: str) -> None:
    """The key alone goes to standard output, so that it can go straight into a store of secrets."""
    sys.stdout.write(f"{key}\n")
    sys.stdout.flush()
    sys.stderr.write(f"This key is not shown again; {said}\n")


def main(arguments: Sequence[str]) -> int:
    """The exit status: 0 when it is done, 1 with one line that says why not."""
    try:
        run(parse(arguments))
    except (OSError, file.Mistake) as error:
        sys.stderr.write(f"keys: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
