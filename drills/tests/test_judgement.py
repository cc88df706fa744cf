"""The verdict on made-up evidence."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import pytest

from drills.judgement import STEADY_AGAIN, Evidence, judge, strays
from drills.ledger import Ledger, unexpected
from drills.result import Result
from drills.row import STEADY, Control, Probes, Row
from drills.watch import Watch
from loadtest.openloop import Row as Request
from stack import Part
from stack.prober import Look

RESET: dict[str, Any] = {"status": None, "error": "reset"}
REFUSED: dict[str, Any] = {"status": 503, "code": "overloaded"}
CLAIM = Row("killed", "Nothing is lost.", "SIGKILL", probes={"api": STEADY}, bites=(), cluster="the same")
FRESH = ("api_fresh",)
GONE = ("it is replaced", "not within 6 s")
NO_EFFECT = ("the fault has an effect", "signs not seen: api /livez")
CONTROL = Control("the retry", breaks="clients")


def request(number: int, at: float = 101.5, took: float = 0.01, **fields: Any) -> Request:
    """One request: sent at `at`, answered 200 after `took` seconds, unless the fields say otherwise."""
    return Request(number, "api_fresh", at, at, **{"status": 200, "done": at + took, **fields})


def watched(**answers: list[str]) -> Watch:
    """A watch that has seen these answers of the probes, all 200 by default, and one process."""
    watch = Watch(lambda: "http://127.0.0.1:1")
    for path, track in watch.tracks.items():
        for at, answer in enumerate(answers.get(path.strip("/"), ["200"])):
            track.note(Look(100.0 + at, answer))
    watch.phase.note(Look(100.0, "ready"))
    watch.first_pids = watch.pids = {1}
    return watch


def verdict(
    row: Row,
    requests: list[Request],
    watch: Watch | None = None,
    *,
    controlled: bool = False,
    proofs: Collection[str] = (),
    noted: Collection[tuple[str, str]] = (),
    cut_short: bool = False,
) -> Result:
    """What `judge` makes of it; the fault was from 101 to 102."""
    control = row.control if controlled else None
    result = Result(row.name, row.claim, row.fault, "embedded", "fake", 1)
    if control:
        result.control, result.breaks = control.without, control.breaks
    result.violations.extend(noted)
    watches: dict[Part, Watch] = {"api": watch or watched()}
    judge(row, Evidence(100.0, [(101.0, 102.0)], watches, requests, "", proofs, cut_short), result)
    return result


def test_a_drill_that_holds() -> None:
    """All answered, probes as expected: no violation, and no recovery to speak of."""
    result = verdict(CLAIM, [request(n, 100 + n) for n in range(4)])
    assert (result.verdict, result.violations, result.recovery) == ("held", [], 0.0)


def test_one_lost_request_breaks_the_claim() -> None:
    """It is counted by its kind, and the recovery lasts until it had failed."""
    result = verdict(CLAIM, [request(1, 100.5), request(2, 101.5, took=3.0, **RESET), request(3, 104.0)])
    assert (result.verdict, result.violations) == ("broken", [("clients", "1 x reset in api_fresh")])
    assert result.recovery == 2.5


def test_what_the_row_allows_is_no_violation() -> None:
    """A typed refusal that the matrix expects is counted, and the claim holds."""
    result = verdict(replace(CLAIM, clients=("503 *",), radius=FRESH), [request(1), request(2, **REFUSED)])
    assert result.verdict == "held"
    assert result.ledger
    assert result.ledger.failed == {"503 overloaded": 1}


def test_what_the_row_allows_is_a_violation_in_other_streams() -> None:
    """One such refusal outside the blast radius breaks the claim, and so does a request in flight at the fault."""
    refused = replace(CLAIM, clients=("503 *",), radius=("search",))
    assert verdict(refused, [request(1), request(2, **REFUSED)]).violations == [
        ("clients", "1 x 503 overloaded in api_fresh")
    ]
    lost = replace(CLAIM, in_flight=True, radius=("search",))
    assert verdict(lost, [request(1, **RESET)]).violations == [("clients", "1 x reset in api_fresh")]


def test_only_what_was_in_flight_may_be_lost() -> None:
    """A request under way at the fault is counted apart; one that began later is a violation."""
    row = replace(CLAIM, in_flight=True, radius=FRESH)
    own, later, good = request(1, 100.9, took=0.2, **RESET), request(2, 102.1, **RESET), request(3, 103.0)
    assert verdict(row, [own]).measures == {"in flight at the fault": 1, "of these lost": 1}
    assert verdict(row, [own]).verdict == "held"
    assert verdict(row, [own, later, good]).violations == [("clients", "1 x reset in api_fresh")]


def test_a_stream_that_fails_until_the_load_ends_has_not_recovered() -> None:
    """The drill is broken, and there is no time of recovery; a good answer of another stream is none of its own."""
    row, lost = (
        replace(CLAIM, clients=("reset",), radius=FRESH),
        [request(1, 101.5, **RESET), request(2, 104.0, **RESET)],
    )
    other = replace(request(3, 104.5), stream="search")
    result = verdict(row, [*lost, other])
    assert result.violations == [("it recovers", "requests fail to the end: api_fresh until 2.0 s after the fault")]
    assert result.recovery is None
    again = verdict(row, [*lost, other, request(4, 104.1)])
    assert (again.verdict, again.recovery) == ("held", 2.01)
    controlled = verdict(replace(row, control=CONTROL), [*lost, other], controlled=True)
    assert (controlled.verdict, controlled.recovery) == ("passed", None)


def test_without_a_request_after_the_fault_there_is_no_recovery() -> None:
    """Where the load is the fault, requests are refused as long as they come."""
    row = replace(CLAIM, clients=("503 *",), radius=FRESH)
    result = verdict(row, [request(1, 101.5), request(2, 101.9, **REFUSED)])
    assert (result.verdict, result.recovery) == ("held", None)


def test_a_request_that_never_ended_had_not_failed_before_the_last_one_did() -> None:
    """It counts until then."""
    row = replace(CLAIM, clients=("unfinished",), radius=FRESH)
    unfinished = request(1, 102.5, status=None, done=None, error="unfinished")
    assert verdict(row, [unfinished, request(2, 105.0, took=0.5)]).recovery == 3.5


@pytest.mark.parametrize(
    ("path", "fact"), [("livez", "api /livez"), ("startupz", "api /startupz"), ("readyz", "api /readyz")]
)
def test_a_probe_that_answers_otherwise(path: str, fact: str) -> None:
    """Each probe is held to its own column."""
    result = verdict(CLAIM, [], watched(**{path: ["200", "503", "200"]}))
    assert result.violations == [(fact, "200 503 200 instead of 200")]
    gone = replace(CLAIM, probes={"api": Probes(*["200 (503) 200"] * 3)})
    assert [fact for fact, _ in verdict(gone, [], watched(**{path: ["none"]})).violations].count(fact) == 1


def test_a_restart_that_nobody_expects() -> None:
    """A process that was not there at first is a restart."""
    watch = watched()
    watch.pids = {1, 2}
    assert verdict(CLAIM, [], watch).violations == [("api restarts", "1 processes instead of 0 were replaced")]


@pytest.mark.parametrize(
    ("sign", "requests", "answers", "pids", "proofs"),
    [
        ("clients", [request(1, **REFUSED)], {}, {1}, set()),
        ("api /livez", [request(1)], {"livez": ["200", "none", "200"]}, {1}, set()),
        ("api restarts", [request(1)], {}, {1, 2}, set()),
        ("it is lost", [request(1)], {}, {1}, {"it is lost"}),
    ],
)
def test_a_fault_that_does_not_bite_breaks_the_claim(
    sign: str, requests: list[Request], answers: dict[str, list[str]], pids: set[int], proofs: set[str]
) -> None:
    """Each sign that the row names must be seen; that nothing failed proves nothing when nothing was done."""
    anything = Probes(*["any"] * 3)
    row = replace(CLAIM, bites=(sign,), probes={"api": anything}, clients=("*",), radius=FRESH, restarts=None)
    bitten = watched(**answers)
    bitten.pids = pids
    assert verdict(row, requests, bitten, proofs=proofs).verdict == "held"
    assert verdict(row, [request(1)]).violations == [("the fault has an effect", f"signs not seen: {sign}")]


def test_a_control_must_fail_for_its_reason() -> None:
    """Without a violation it has passed, with another one it has failed otherwise: neither is good."""
    row = replace(CLAIM, control=CONTROL)
    lost = [request(1, **RESET)]
    assert verdict(row, lost, controlled=True).verdict == "failed as it must"
    passed = verdict(row, [request(1)], controlled=True)
    otherwise = verdict(row, [request(1)], watched(livez=["200", "none"]), controlled=True)
    assert (passed.verdict, passed.good) == ("passed", False)
    assert (otherwise.verdict, otherwise.good) == ("failed otherwise", False)


def test_a_control_whose_fault_has_no_effect_is_no_success() -> None:
    """What it must violate can be violated because nothing was done; cut short, it may not have come to its signs."""
    row, noted = replace(CLAIM, control=Control("its watch", breaks="it is replaced"), bites=("api /livez",)), [GONE]
    idle = verdict(row, [request(1)], controlled=True, noted=noted)
    assert (idle.verdict, idle.good) == ("failed otherwise", False)
    stopped = watched(livez=["200", "none", "200"])
    assert verdict(row, [request(1)], stopped, controlled=True, noted=noted).good
    assert verdict(row, [request(1)], controlled=True, noted=noted, cut_short=True).good
    blind = replace(row, control=Control("its watch", breaks="it is replaced", bites=()))
    assert verdict(blind, [request(1)], controlled=True, noted=noted).good
    assert verdict(blind, [request(1)], noted=noted).violations == [GONE, NO_EFFECT]


@pytest.mark.parametrize("cut_short", [False, True])
def test_a_control_that_leaves_the_system_broken_is_no_success(cut_short: bool) -> None:
    """Cut short or not, it has failed as it must only if the system was steady again afterwards."""
    row, lost = replace(CLAIM, control=CONTROL), [request(1, **RESET)]
    unsteady = (STEADY_AGAIN, "api: not ready after 60 s")
    result = verdict(row, lost, controlled=True, noted=[unsteady], cut_short=cut_short)
    assert (result.verdict, result.good) == ("failed otherwise", False)
    assert unsteady in result.violations
    assert verdict(row, lost, controlled=True, cut_short=cut_short).good


def test_a_probe_that_fails_before_the_fault_proves_nothing() -> None:
    """A control needs an answer of its probe to a question at the fault's begin or later; a drill is held to all."""
    row = replace(CLAIM, control=Control("its own check", breaks="api /readyz"))
    early, late = ["503", "200"], ["200", "503"]  # asked 1 s before the fault, and at its begin
    other = [("clients", "1 x reset")]
    assert verdict(row, [], watched(readyz=early), controlled=True, noted=other).verdict == "failed otherwise"
    assert verdict(row, [], watched(readyz=early), controlled=True).verdict == "passed"
    assert verdict(row, [], watched(readyz=late), controlled=True).verdict == "failed as it must"
    assert verdict(row, [], watched(readyz=early)).verdict == "broken"
    watches: dict[Part, Watch] = {"api": watched(readyz=late)}
    assert strays(row, watches, "api /readyz", 101.0)
    assert not strays(row, watches, "api /readyz", 101.5)


def test_a_request_that_failed_before_the_fault_proves_nothing() -> None:
    """A control needs one that failed after the fault began, and so does a sign; a drill is held to all requests."""
    row = replace(CLAIM, control=CONTROL)
    early, under_way = [request(1, 100.1, **RESET)], [request(1, 100.1, took=1.0, **RESET)]
    assert verdict(row, early, controlled=True).verdict == "passed"
    assert verdict(row, under_way, controlled=True).verdict == "failed as it must"
    assert verdict(row, early).violations == [("clients", "1 x reset in api_fresh")]
    bitten = replace(CLAIM, clients=("*",), radius=FRESH, bites=("clients",))
    assert verdict(bitten, early).verdict == "broken"
    assert verdict(bitten, under_way).verdict == "held"


def test_a_probe_that_may_only_be_well_strays_at_its_first_other_answer() -> None:
    """One that may fail on the way doesn't: what it has answered so far may be as the row says."""
    unready: dict[Part, Watch] = {"api": watched(readyz=["200", "503"])}
    assert strays(CLAIM, unready, "api /readyz", 101.0)
    assert not strays(CLAIM, {"api": watched()}, "api /readyz", 101.0)
    assert not strays(CLAIM, unready, "api /livez", 101.0)
    assert not strays(replace(CLAIM, probes={"api": Probes(ready="200 503 200")}), unready, "api /readyz", 101.0)


def test_every_request_is_in_one_bucket() -> None:
    """By the quarter of a second in which it was due, and by what became of it."""
    requests = [request(1, 100.1), request(2, 100.1, took=2), request(3, 100.3, **REFUSED), request(4, 100.3, **RESET)]
    assert verdict(CLAIM, requests).buckets == [(0.0, 1, 1, 0, 0), (0.25, 0, 0, 1, 1)]


def test_the_ledger_adds_up() -> None:
    """Sent is ok and failed; waiting and the generator's lag are counted beside them."""
    late = replace(request(3, 10.0), scheduled=9.0)
    ledger = Ledger.of([request(1), request(2, took=2, **RESET), late])
    assert (ledger.sent, ledger.ok, ledger.lost, ledger.failed) == (3, 2, 1, {"reset": 1})
    assert (ledger.waited, ledger.late) == (1, 1)
    assert unexpected([request(2, **RESET)], ["re*"], FRESH) == []


def test_without_a_good_answer_there_are_no_percentiles() -> None:
    """Zero would be a perfect figure."""
    ledger = Ledger.of([request(1, **RESET)])
    assert (ledger.ok, ledger.p50, ledger.p99, ledger.slowest) == (0, None, None, None)
