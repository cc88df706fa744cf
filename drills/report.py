"""Writes the verdicts: on the terminal, in summary.json and in index.html."""

import html
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

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
    """Of each drill with load, over its runs: requests, failures by kind, and the range of the recovery in seconds."""
    found: dict[str, dict[str, object]] = {}
    for name in dict.fromkeys(result.name for result in results):
        runs = [each for each in results if each.name == name and not each.control and each.ledger]
        ledgers = [each.ledger for each in runs if each.ledger]
        recoveries = sorted(each.recovery or 0.0 for each in runs)
        if not ledgers:
            continue
        failed = sum((Counter(each.failed) for each in ledgers), Counter[str]())
        found[name] = {
            "runs": len(runs),
            "sent": sum(each.sent for each in ledgers),
            "ok": sum(each.ok for each in ledgers),
            "failed": dict(failed),
            "recovery": [recoveries[0], median(recoveries), recoveries[-1]],
        }
    return found


def write(results: Sequence[Result], options: Options) -> None:
    """Both files, into the folder of the reports."""
    options.reports.mkdir(parents=True, exist_ok=True)
    held = sum(result.good for result in results)
    summary = {
        "stack": results[0].stack,
        "requests": options.requests,
        "runs": options.runs,
        "as they must be": held,
        "not so": len(results) - held,
        "totals": totals(results),
        "drills": [result.as_json() for result in results],
    }
    (options.reports / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")
    body = "\n".join(_section(result) for result in results)
    rows = "\n".join(_row(result) for result in results)
    page = PAGE.replace("{{stack}}", results[0].stack).replace("{{rows}}", rows).replace("{{sections}}", body)
    (options.reports / "index.html").write_text(page.replace("{{held}}", f"{held} of {len(results)}"))


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


def _section(result: Result) -> str:
    facts = [("fault", result.fault), ("engine", result.engine), *result.measures.items()]
    if result.control:
        facts.insert(1, ("must violate", result.breaks))
    if result.ledger:
        facts.append(("requests", _failures(result) or f"all {result.ledger.sent} ok"))
        facts.append(
            ("latency", f"p50 {result.ledger.p50} ms, p99 {result.ledger.p99} ms, most {result.ledger.slowest} ms")
        )
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
