"""The command line: `python -m loadtest.keys`, and beside a running api also `--url http://127.0.0.1:8000`."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence

from loadtest.keys.server import serving
from loadtest.keys.statistic import Comparison, compare
from loadtest.keys.tries import a_key, in_process, nearly, one_of, over_http, timed, wrong
from stack.http import FAILURES

TRIES = 10_000
KEYS = 100  # known ones

SAME = "other wrong"  # than `wrong`, of the same kind

Found = dict[str, Comparison]


class UndecidedError(Exception):
    """Nothing can be said about the api."""


def check(tries: int, keys: int, seed: int) -> Found:
    """The check alone, in this process, where nanoseconds can be seen: what a wrong key has in common with a right one.

    That a key is right shows here, by some 30 ns, and to everybody by the status of the answer.
    """
    right = [a_key() for _ in range(keys)]
    makers = {"nearly right": nearly(right[0]), "wrong": wrong, SAME: wrong}
    times = timed(makers, in_process(right), tries, seed)
    return {kind: compare(times["wrong"], times[kind]) for kind in ("nearly right", SAME)}


def loopback(tries: int, keys: int, seed: int) -> Found:
    """The check in a server that answers all keys alike, over one connection."""
    right = [a_key() for _ in range(keys)]
    makers = {"right": one_of(right), "nearly right": nearly(right[0]), "wrong": wrong, SAME: wrong}
    with serving(right) as url:
        times = timed(makers, over_http(url), tries, seed)
    return {kind: compare(times["wrong"], times[kind]) for kind in ("right", "nearly right", SAME)}


def api(url: str, key: bytes, tries: int, seed: int) -> Found:
    """A running api. It answers a right key otherwise, so only wrong ones are compared.

    Raises:
        UndecidedError: it doesn't check keys, or answers something else than their check.
    """
    ask = over_http(url)
    if (status := ask(key)) != 200:
        raise UndecidedError(f"{status} for the key in WARMSTART_KEY, which is to be one of this api's")

    def refused(key: bytes) -> None:
        if (status := ask(key)) != 401:
            raise UndecidedError(f"{status} instead of 401 for a wrong key")

    times = timed({"nearly right": nearly(key), "wrong": wrong, SAME: wrong}, refused, tries, seed)
    return {kind: compare(times["wrong"], times[kind]) for kind in ("nearly right", SAME)}


def main(arguments: Sequence[str]) -> int:
    """The exit status: 1 when times tell keys apart, 2 when nothing can be said.

    Two kinds of wrong keys show how far the statistic strays: if they are told apart, it says nothing of the others.
    """
    parser = argparse.ArgumentParser("python -m loadtest.keys", description="Time right and wrong API keys.")
    parser.add_argument("--tries", type=int, default=TRIES, help="of each kind (%(default)s)")
    parser.add_argument("--known", type=int, default=KEYS, help="keys that are known (%(default)s)")
    parser.add_argument("--url", help="a running api, too; the variable WARMSTART_KEY has one of its keys")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    found = {
        "the check": check(given.tries, given.known, given.seed),
        "over loopback": loopback(given.tries, given.known, given.seed),
    }
    if given.url:
        try:
            found["the api"] = api(given.url, os.environ.get("WARMSTART_KEY", "").encode(), given.tries, given.seed)
        except (UndecidedError, ValueError, *FAILURES) as error:
            print(f"UNDECIDED: {error}", file=sys.stderr)
            return 2
    return conclude(found, given.tries)


def conclude(found: Mapping[str, Found], tries: int) -> int:
    """Print all comparisons; returns the exit status."""
    among = sum(map(len, found.values()))
    apart = set()
    for where, comparisons in found.items():
        for kind, comparison in comparisons.items():
            told = comparison.told_apart(among)
            print(
                f"{where}, {tries} tries each, wrong keys and {kind} ones: {comparison}: "
                + ("TOLD APART" if told else "not told apart")
            )
            apart |= {kind} if told else set()
    if SAME in apart:
        print("UNDECIDED: two sets of wrong keys are told apart, so the machine is too busy.", file=sys.stderr)
        return 2
    return int(bool(apart))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
