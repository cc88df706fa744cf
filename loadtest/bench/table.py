"""Formats the tables for the terminal."""

from collections.abc import Mapping, Sequence
from statistics import median

from loadtest.bench.cases import Row
from loadtest.bench.summary import Outcome, complete

COLUMNS: Mapping[str, tuple[str, str]] = {
    "ready_seconds": ("ready s", ".2f"),
    "first_ms": ("first ms", ".1f"),
    "p50_ms_c1": ("p50 ms", ".2f"),
    "texts_per_s_c32": ("c32 texts/s", ".0f"),
    "texts_per_s_b32": ("b32 texts/s", ".0f"),
    "rss_mb": ("MB", ".0f"),
    "rss_all_mb": ("MB, all", ".0f"),
}
CLIENT = "client CPU"


def progress(row: Row, rounds: int) -> str:
    """One line for one row."""
    head = f"round {row['round'] + 1}/{rounds}  {row['system']:<28}"
    if "failed" in row:
        return f"{head}not measured: {_last_line(row['failed'])}"
    figures = "  ".join(f"{title} {row[key]:{form}}" for key, (title, form) in COLUMNS.items() if key in row)
    errors = f"  ERRORS {row['errors']}" if row.get("errors") else ""
    alone = f"  NOT IN TURNS: {_last_line(row['not_in_turns'])}" if "not_in_turns" in row else ""
    return f"{head}{figures}  ({row['took_seconds']:.0f} s){errors}{alone}"


def systems(rows: Sequence[Row], rounds: int) -> str:
    """Medians by system; the load generator's share of one CPU at 32 clients."""
    lines = [f"{'':<30}" + "".join(f"{title:>13}" for title, _ in COLUMNS.values()) + f"{CLIENT:>13}"]
    for name in complete(rows, rounds):
        own = [row for row in rows if row["system"] == name]
        cells = [_median(own, key, form) for key, (_, form) in COLUMNS.items()]
        cpu = [row["client_cpu"]["c32"] for row in own if "c32" in row["client_cpu"]]
        cells.append(f"{median(cpu):.0%}" if cpu else "-")
        lines.append(f"{name:<30}" + "".join(f"{cell:>13}" for cell in cells))
    return "\n".join(lines)


def _median(rows: Sequence[Row], key: str, form: str) -> str:
    values = [row[key] for row in rows if key in row]
    return f"{median(values):{form}}" if values else "-"


def failures(failed: Mapping[str, str]) -> str:
    """Why the other systems have no figures."""
    return "\n".join(f"{name}: not measured: {_last_line(reason)}" for name, reason in failed.items())


def _last_line(text: str) -> str:
    return text.strip().splitlines()[-1][-300:]


def goals(found: Sequence[Outcome]) -> str:
    """Each goal with the median, the range over the rounds, the limit's median, and whether it is reached."""
    lines = [f"{'':<52}{'median':>9}{'range':>17}{'limit':>9}{'goal':>10}"]
    for each in found:
        low, high = min(each.values), max(each.values)
        goal = f"{each.goal.sense} {each.goal.bound:g}"
        limit = f"{each.limit.median:.4g}" if each.limit else ""
        mark = "reached" if each.reached else "MISSED" if each.within_reach else "MISSED, by the limit too"
        span = f"{low:.3g} to {high:.3g}"
        lines.append(f"{each.goal.name:<52}{each.median:>9.4g}{span:>17}{limit:>9}{goal:>10}  {mark}")
    return "\n".join(lines)
