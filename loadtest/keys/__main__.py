"""The command line: `python -m loadtest.keys`, and beside a running api also `--url http://127.0.0.1:8000`."""

import argparse
import os
import sys
from collections.abc import Sequence

from loadtest.keys.server import serving
from loadtest.keys.statistic import Comparison, compare
from loadtest.keys.tries import a_key, in_process, nearly, one_of, over_http, timed, wrong

TRIES = 10_000
KEYS = 100  # known ones

Found = dict[str, Comparison]


def check(tries: int, keys: int, seed: int) -> Found:
    """The check alone, in this process, where nanoseconds can be seen: what a wrong key has in common with a right one.

    That a key is right shows here, by some 30 ns, and to everybody by the status of the answer.
    """
    right = [a_key() for _ in range(keys)]
    makers = {"nearly right": nearly(right[0]), "wrong": wrong, "other wrong": wrong}
    times = timed(makers, in_process(right), tries, seed)
    return {kind: compare(times["wrong"], times[kind]) for kind in ("nearly right", "other wrong")}


def loopback(tries: int, keys: int, seed: int) -> Found:
    """The check in a server that answers all keys alike, over one connection."""
    right = [a_key() for _ in range(keys)]
    makers = {"right": one_of(right), "nearly right": nearly(right[0]), "wrong": wrong, "other wrong": wrong}
    with serving(right) as url:
        times = timed(makers, over_http(url), tries, seed)
    return {kind: compare(times["wrong"], times[kind]) for kind in ("right", "nearly right", "other wrong")}


def api(url: str, key: bytes, tries: int, seed: int) -> Found:
    """A running api. It answers a right key otherwise, so only wrong ones are compared."""
    ask = over_http(url)
    if ask(key) == 401:
        raise SystemExit("WARMSTART_KEY is none of this api's keys")
    times = timed({"nearly right": nearly(key), "wrong": wrong, "other wrong": wrong}, ask, tries, seed)
    return {kind: compare(times["wrong"], times[kind]) for kind in ("nearly right", "other wrong")}


def main(arguments: Sequence[str]) -> int:
    """The exit status: 1 when times tell keys apart. Two kinds of wrong keys show how far the statistic strays."""
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
        found["the api"] = api(given.url, os.environ.get("WARMSTART_KEY", "").encode(), given.tries, given.seed)
    for where, comparisons in found.items():
        for kind, comparison in comparisons.items():
            print(f"{where}, {given.tries} tries each, wrong keys and {kind} ones: {comparison}")
    return int(any(each.told_apart for comparisons in found.values() for each in comparisons.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
