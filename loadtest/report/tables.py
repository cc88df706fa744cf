"""The tables of a measurement, as rows of cells, and as Markdown or HTML."""

from collections.abc import Sequence
from html import escape
from statistics import median

from loadtest.lab.disturbance import MARK
from loadtest.lab.gate import ratios
from loadtest.lab.measurement import Measurement, seconds
from loadtest.lab.users import PATIENCE
from loadtest.report.figures import strategies
from loadtest.report.people import people

Table = list[list[str]]  # the first row is the head
NOTHING = "-"

HEAD = [
    "strategy",
    "starts",
    "ready, s",
    "first embedding, s",
    "steady, s",
    f"answered within {PATIENCE:g} s",
    "answered later",
    "failed",
    "p50 / p95 / p99 / max of those answered",
    "first request / steady p50, worst shape",
]


def comparison(measurement: Measurement) -> Table:
    """A row for each strategy: medians with the range of all starts, and what became of all users."""
    return [HEAD, *(_row(measurement, name) for name in strategies(measurement))]


def _row(measurement: Measurement, name: str) -> list[str]:
    trials, met = measurement.of(name), people(measurement, name)
    cells = [_marked(measurement, name), str(len(trials))]
    cells += [_range(seconds(trials, phase)) for phase in ("readyz", "first_embedding", "steady")]
    shares = [
        f"{100 * count / met.arrived:.0f} %" if met.arrived else NOTHING
        for count in (met.served, met.waited, met.failed)
    ]
    worst = max(ratios(trials).values(), key=median, default=[])
    return [*cells, *shares, met.quote() if met.latencies else NOTHING, _range(worst)]


def _marked(measurement: Measurement, name: str) -> str:
    return f"{name} {MARK}" if measurement.disturbed(name) else name


def brief(measurement: Measurement) -> Table:
    """The same, without the columns for which the README has no room."""
    left_out = {HEAD.index("starts"), HEAD.index("ready, s")}
    return [[cell for index, cell in enumerate(row) if index not in left_out] for row in comparison(measurement)]


def failures(measurement: Measurement) -> Table:
    """How users failed."""
    rows = []
    for name in strategies(measurement):
        met = people(measurement, name)
        kinds = ", ".join(f"{count} x {kind}" for kind, count in met.failures.most_common())
        rows.append([_marked(measurement, name), str(met.arrived), kinds or "nobody did"])
    return [["strategy", "users", "how they failed"], *rows]


def warmth(measurement: Measurement) -> Table:
    """First request / steady p50 of each strategy and shape; after a pause, too, if that was measured."""
    rows = []
    for name in strategies(measurement):
        trials = measurement.of(name, "quiet")
        for shape, values in ratios(trials).items():
            idle = [trial.idle[shape] / median(trial.shapes[shape]) for trial in trials if shape in trial.idle]
            rows.append([_marked(measurement, name), shape, _range(values), _range(idle)])
    return [["strategy", "shape", "first request / steady p50", "after a pause / steady p50"], *rows]


def settings(measurement: Measurement) -> Table:
    """What each strategy sets."""
    rows = [
        [name, " ".join(f"{key}={value}" for key, value in each.items())]
        for name, each in measurement.strategies.items()
    ]
    engines = {trial.strategy: " ".join(map(str, trial.engine.values())) for trial in measurement.trials}
    return [
        ["strategy", "settings", "engine, precision, threads"],
        *([*row, engines.get(row[0], NOTHING)] for row in rows),
    ]


def machine(measurement: Measurement) -> Table:
    """What it ran on."""
    flat = {**measurement.machine, **measurement.machine["versions"]}
    return [["", ""], *([name, str(value)] for name, value in flat.items() if name != "versions")]


def rolling(measurement: Measurement) -> Table:
    """The outcomes for users during a rolling restart."""
    return [["", ""], *([name.replace("_", " "), str(value)] for name, value in measurement.rolling.items())]


def markdown(table: Table) -> str:
    """For GitHub; numbers to the right."""
    head, *rows = table
    rule = ["---", *("--:" for _ in head[1:])]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))


def html(table: Table) -> str:
    """For the page; a figure, with its range and unit, stays on one line."""
    head, *rows = table
    lines = ["<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in head) + "</tr>"]
    lines += ["<tr>" + "".join(map(_cell, row)) + "</tr>" for row in rows]
    return f"<table>\n{chr(10).join(lines)}\n</table>"


def _cell(text: str) -> str:
    figure = ' class="figure"' if text[:1].isdecimal() else ""
    return f"<td{figure}>{escape(text)}</td>"


def _range(values: Sequence[float]) -> str:
    return f"{median(values):.2f} ({min(values):.2f} to {max(values):.2f})" if values else NOTHING
