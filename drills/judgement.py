"""The verdict: what was observed against what the matrix says."""

import math
import time
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from drills.expected import matches
from drills.ledger import OK, WAITED, Ledger, in_flight, kind, unexpected, unrecovered
from drills.result import Result
from drills.row import Row
from drills.watch import Watch
from loadtest.openloop import Row as Request
from stack import Part

BUCKET = 0.25  # seconds
STEADY_AGAIN = "it is steady again"  # a fact of every drill, also of one that was cut short
EFFECTIVE = "the fault has an effect"  # of every drill that wasn't


@dataclass(frozen=True)
class Evidence:
    """What was observed. Times are monotonic seconds."""

    begin: float
    faults: Sequence[tuple[float, float]]
    watches: dict[Part, Watch]
    rows: Sequence[Request]
    generator: str
    proofs: Collection[str] = ()
    cut_short: bool = False  # a control that had shown what it must

    @property
    def fault_began(self) -> float:
        """The begin of the first fault; that of the drill, if it had none."""
        return min([begin for begin, _ in self.faults], default=self.begin)

    @property
    def since_fault(self) -> list[Request]:
        """The requests that ended after the first fault began: what failed before it proves nothing."""
        return [each for each in self.rows if (each.done or each.sent) >= self.fault_began]


def judge(row: Row, seen: Evidence, result: Result) -> None:
    """Complete the result; its verdict is `broken` if any fact was violated, `aborted` if the drill was."""
    noted = list(result.violations)
    _probes(row, seen, result)
    if seen.rows:
        _clients(row, seen, result)
    own = row.control.bites if result.control and row.control else None
    if missing := set(row.bites if own is None else own) - _signs(seen, result):
        result.violations.append((EFFECTIVE, f"signs not seen: {', '.join(sorted(missing))}"))
    if result.aborted:
        result.violations = noted  # the rest of the drill would have shown what is missing now
    if seen.cut_short:
        result.violations = [each for each in result.violations if each[0] in (result.breaks, STEADY_AGAIN)]
    result.windows = [(round(a - seen.begin, 3), round(b - seen.begin, 3)) for a, b in seen.faults]
    result.seconds = round(time.monotonic() - seen.begin, 2)
    result.verdict = _verdict(result)


def _verdict(result: Result) -> str:
    if result.aborted:
        return "aborted"
    if not result.control:
        return "broken" if result.violations else "held"
    if not result.violations:
        return "passed"
    violated = {fact for fact, _ in result.violations}
    right = result.breaks in violated and not violated & {STEADY_AGAIN, EFFECTIVE}
    return "failed as it must" if right else "failed otherwise"


def _probes(row: Row, seen: Evidence, result: Result) -> None:
    for part, watch in seen.watches.items():
        for path, steps in row.probes[part].by_path.items():
            found, told = watch.tracks[path].values, [watch.tracks[path].values]
            if result.control:  # what failed before the fault proves nothing: until then it was steady
                since = watch.tracks[path].since(seen.fault_began)
                told += [since, ["200", *since]]
            if not any(matches(steps, each) for each in told):
                result.violations.append((f"{part} {path}", f"{' '.join(found)} instead of {steps}"))
        tracks = {**watch.tracks, "phase": watch.phase}
        result.tracks[part] = {
            name: [(round(each.at - seen.begin, 3), each.value) for each in track.changes]
            for name, track in tracks.items()
        }
        result.slowest_probe = round(max(result.slowest_probe, *(t.slowest for t in watch.tracks.values())), 3)
        result.restarts[part] = len(watch.pids - watch.first_pids)
        if row.restarts is not None and result.restarts[part] != row.restarts.get(part, 0):
            detail = f"{result.restarts[part]} processes instead of {row.restarts.get(part, 0)} were replaced"
            result.violations.append((f"{part} restarts", detail))


def strays(row: Row, watches: dict[Part, Watch], fact: str, begin: float) -> bool:
    """Whether a probe, asked at `begin` (monotonic seconds) or later, has answered what it never may.

    `fact` names the service and the probe (`api /readyz`).
    """
    part, _, path = fact.partition(" ")
    for name, watch in watches.items():
        if name == part and row.probes[name].by_path.get(path) == "200":
            return any(each.value != "200" for each in watch.tracks[path].looks if each.at >= begin)
    return False


def _signs(seen: Evidence, result: Result) -> set[str]:
    """The signs of the fault, as `Row.bites` names them: without one, the drill has tested nothing."""
    found = set(seen.proofs)
    if any(not each.ok for each in seen.since_fault):
        found.add("clients")
    for part, watch in seen.watches.items():
        tracks = watch.tracks.items()
        found |= {f"{part} {path}" for path, track in tracks if set(track.since(seen.fault_began)) - {"200"}}
        found |= {f"{part} restarts"} if result.restarts[part] else set()
    return found


def _clients(row: Row, seen: Evidence, result: Result) -> None:
    counted = list(seen.since_fault if result.control else seen.rows)
    if row.in_flight:
        inside = [each for each in counted if each.stream in row.radius]
        own = [each for each in inside if any(in_flight(each, *window) for window in seen.faults)]
        result.measures["in flight at the fault"] = len(own)
        result.measures["of these lost"] = sum(not each.ok for each in own)
        known = {each.number for each in own}
        counted = [each for each in counted if each.number not in known]
    if surprises := unexpected(counted, row.clients, row.radius):
        said = {_named(each): f" ({each.message})" for each in reversed(surprises) if each.message}
        counts = Counter(map(_named, surprises))
        found = (f"{count} x {what}{said.get(what, '')}" for what, count in counts.items())
        result.violations.append(("clients", ", ".join(found)))
    result.ledger = Ledger.of(seen.rows)
    result.generator = seen.generator
    result.buckets = _buckets(seen)
    if seen.faults:
        _recovery(seen, result)


def _recovery(seen: Evidence, result: Result) -> None:
    """How long it took, if all has recovered while requests were still sent."""
    end = max(end for _, end in seen.faults)
    if late := unrecovered(seen.rows, end):
        if not result.control:
            found = ", ".join(f"{stream} until {at - end:.1f} s after the fault" for stream, at in late.items())
            result.violations.append(("it recovers", f"requests fail to the end: {found}"))
    elif any(each.scheduled > end for each in seen.rows):
        ended = max(each.done or each.sent for each in seen.rows)  # what never ended has failed then, or later
        failed = [each.done or ended for each in seen.rows if not each.ok]
        result.recovery = round(max([0.0, *(at - end for at in failed)]), 2)


def _named(failed: Request) -> str:
    return f"{kind(failed)} in {failed.stream}"


def _buckets(seen: Evidence) -> list[tuple[float, int, int, int, int]]:
    counts: dict[int, list[int]] = {}
    for row in seen.rows:
        bucket = counts.setdefault(math.floor((row.scheduled - seen.begin) / BUCKET), [0, 0, 0, 0])
        bucket[_class(row)] += 1
    return [(number * BUCKET, *bucket) for number, bucket in sorted(counts.items())]  # type: ignore[misc]


def _class(row: Request) -> int:
    """0 ok, 1 ok after a wait, 2 refused with an answer of the contract, 3 lost."""
    if kind(row) == OK:
        return int(row.latency > WAITED)
    return 2 if row.code else 3
