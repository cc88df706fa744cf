"""Open-loop load: requests leave at their scheduled time, whatever the answers do.

In a process of its own, driven from a drill or from the cold-start lab:

    from loadtest.openloop import Background, Plan, Poisson, Stream

    plan = Plan(
        schedule=Poisson(rate=20, seed=1),
        streams=(
            Stream("worker_short", url=stack.url("worker")),
            Stream("api_fresh", url=stack.url("api"), weight=2, connections="fresh"),
        ),
        seconds=60,
    )
    with Background(plan, folder / "rows.jsonl") as load:   # returns once requests are leaving
        stack.restart("worker")
    run = load.run                                          # after the block: stopped, all rows read
    assert run.verdict.valid, run.verdict.reason
    lost = [row for row in run.rows if not row.ok]

`load.wait()` inside the block lets the plan run to its end instead; `load.rows()` gives the rows so far.
In this process: `Generator(plan, RowFile(path, plan)).run()`; under gevent (locust) its threads are greenlets.

What a request is: a name of `loadtest.openloop.makers`, or `module:function` of your own (see `Request`).
What a row holds: `Row`. Rows are written as they happen, one JSON object a line, so that a killed run keeps them;
`read(path)` reads them back. Times are `time.monotonic()` seconds, which all processes of a machine share.
"""

from loadtest.openloop.background import Background
from loadtest.openloop.generator import Generator
from loadtest.openloop.plan import Plan, Stream
from loadtest.openloop.rows import Row, RowFile, Run, read
from loadtest.openloop.schedule import Constant, Poisson
from loadtest.openloop.verdict import Verdict
from loadtest.request import Request

__all__ = [
    "Background",
    "Constant",
    "Generator",
    "Plan",
    "Poisson",
    "Request",
    "Row",
    "RowFile",
    "Run",
    "Stream",
    "Verdict",
    "read",
]
