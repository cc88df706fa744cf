"""Writes the verdicts: on the terminal, in summary.json and in index.html."""

import html
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from types import MappingProxyType

from drills.options import Options
from drills.result import Result
from drills.timeline import svg

PAGE = (Path(__file__).parent / "page.html").read_text()


def one_line(result: Result) -> str:
    """Verdict and counts, for the line of progress."""
    ledger = result.ledger
    counts = f"{ledger.ok} of {ledger.sent} ok" if ledger else "no load"
    recovery = "" if result.recovery is None else f", recovered after {result.recovery:g} s"
    aborted = f", {result.aborted}" if result.aborted else ""
    return f"{result.verdict}: {counts}{recovery}{aborted}"


def properties(result: Result) -> list[tuple[str, object]]:
    """What junit.xml and ctrf.json say of it, beside whether it is as it must be, and how long it took."""
    found: dict[str, object] = {"verdict": result.verdict, "summary": one_line(result)}
    found |= {"claim": result.title, "stack": result.stack}
    if result.aborted:
        found["aborted"] = result.aborted
    if ledger := result.ledger:
        found |= {"requests": ledger.sent, "ok": ledger.ok}
    if result.recovery is not None:
        found["recovery_seconds"] = result.recovery
    return list(found.items())


def failure(result: Result) -> str:
    """Why a drill has not the right verdict."""
    found = [*([("aborted", result.aborted)] if result.aborted else []), *result.violations]
    broken = "\n".join(f"  {fact}: {detail}" for fact, detail in found) or "  nothing was violated"
    must = f"\n(without {result.control}, it must violate: {result.breaks})" if result.control else ""
    return f"{result.title}\n{broken}{must}"


def table(results: Sequence[Result]) -> Iterator[str]:
    """One line a result."""
    counted = "".join(f"{each:>6}" for each in ("sent", "ok", "else"))
    yield f"{'drill':<26}{'verdict':<20}{counted}{'waited':>7}{'recovery':>9}{'restarts':>9}  seen"
    for result in results:
        ledger = result.ledger
        counts = (ledger.sent, ledger.ok, ledger.lost, ledger.waited) if ledger else ("-", "-", "-", "-")
        name = f"  without {result.control}"[:25] if result.control else result.name
        recovery = "-" if result.recovery is None else f"{result.recovery:.1f} s"
        restarts = sum(result.restarts.values())
        facts = [*([result.aborted] if result.aborted else []), *(fact for fact, _ in result.violations)]
        seen = "; ".join(facts) or _failures(result)
        cells = "".join(f"{each:>6}" for each in counts[:3])
        yield f"{name:<26}{result.verdict:<20}{cells}{counts[3]:>7}{recovery:>9}{restarts:>9}  {seen}"


def _failures(result: Result) -> str:
    return ", ".join(f"{count} x {kind}" for kind, count in result.ledger.failed.items()) if result.ledger else ""


def totals(results: Sequence[Result]) -> dict[str, dict[str, object]]:
    """Of each drill with load, over its runs: requests, failures by kind, and the range of the recovery in seconds.

    Runs that did not recover have none.
    """
    found: dict[str, dict[str, object]] = {}
    for name in dict.fromkeys(result.name for result in results):
        runs = [each for each in results if each.name == name and not each.control and each.ledger]
        ledgers = [each.ledger for each in runs if each.ledger]
        recoveries = sorted(each.recovery for each in runs if each.recovery is not None)
        if not ledgers:
            continue
        failed = sum((Counter(each.failed) for each in ledgers), Counter[str]())
        found[name] = {
            "runs": len(runs),
            "sent": sum(each.sent for each in ledgers),
            "ok": sum(each.ok for each in ledgers),
            "failed": dict(failed),
            "recovery": [recoveries[0], median(recoveries), recoveries[-1]] if recoveries else None,
        }
    return found


def left_out(skipped: Mapping[str, str]) -> Iterator[str]:
    """Drills that can't run here, and why."""
    yield from (f"{name:<26}{'not run':<20}{why}" for name, why in skipped.items())


def write(results: Sequence[Result], options: Options, skipped: Mapping[str, str] = MappingProxyType({})) -> None:
    """Both files, into the folder of the reports; `skipped` says why drills could not run."""
    options.reports.mkdir(parents=True, exist_ok=True)
    held = sum(result.good for result in results)
    summary = {
        "stack": results[0].stack,
        "requests": options.requests,
        "runs": options.runs,
        "as they must be": held,
        "not so": len(results) - held,
        "not run": dict(skipped),
        "totals": totals(results),
        "drills": [result.as_json() for result in results],
    }
    (options.reports / "summary.json").write_text(json.dumps(summary, indent=1, allow_nan=False) + "\n")
    body = "\n".join(_section(result) for result in results)
    rows = "\n".join([*map(_row, results), *(_missing(name, why) for name, why in skipped.items())])
    page = PAGE.replace("{{stack}}", results[0].stack).replace("{{rows}}", rows).replace("{{sections}}", body)
    absent = f"; {len(skipped)} could not be run here" if skipped else ""
    page = page.replace("{{held}}", f"{held} of {len(results)}").replace("{{absent}}", absent)
    (options.reports / "index.html").write_text(page)


def anchor(result: Result) -> str:
    """The result's id on the page."""
    return f"{result.name}-{'control' if result.control else 'drill'}-{result.run}"


def _row(result: Result) -> str:
    ledger = result.ledger
    counts = (ledger.sent, ledger.ok, ledger.lost, ledger.waited) if ledger else ("", "", "", "")
    recovery = "" if result.recovery is None else f"{result.recovery:.1f} s"
    name = f"without {result.control}" if result.control else result.name.replace("_", " ")
    cells = "".join(f"<td class=n>{each}</td>" for each in (*counts, recovery, sum(result.restarts.values())))
    link = f"<a href='#{anchor(result)}'>{html.escape(name)}</a>"
    kind = "control" if result.control else "drill"
    mark = "good" if result.good else "bad"
    return f"<tr class={kind}><td>{link}</td><td class={mark}>{result.verdict}</td>{cells}</tr>"


def _missing(name: str, why: str) -> str:
    return (
        f"<tr><td>{html.escape(name.replace('_', ' '))}</td><td>not run</td><td colspan=6>{html.escape(why)}</td></tr>"
    )


def _section(result: Result) -> str:
    facts = [("fault", result.fault), ("engine", result.engine), *result.measures.items()]
    if result.control:
        facts.insert(1, ("must violate", result.breaks))
    if ledger := result.ledger:
        facts.append(("requests", _failures(result) or f"all {ledger.sent} ok"))
        took = f"p50 {ledger.p50} ms, p99 {ledger.p99} ms, most {ledger.slowest} ms" if ledger.ok else "no answer"
        facts.append(("latency", took))
    if result.generator:
        facts.append(("beware", result.generator))
    if result.aborted:
        facts.append(("aborted", result.aborted))
    facts += [(f"violated: {fact}", detail) for fact, detail in result.violations]
    lines = "".join(f"<dt>{html.escape(str(name))}<dd>{html.escape(str(value))}" for name, value in facts)
    mark = "good" if result.good else "bad"
    title = html.escape(result.title)
    head = f"<h2>{title} <span class={mark}>{result.verdict}</span></h2>"
    return f"<section id='{anchor(result)}'>{head}{svg(result)}<dl>{lines}</dl></section>"
