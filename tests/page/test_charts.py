"""The charts draw what was measured, when it was, and nothing else."""

import re
from typing import Any

from playwright.sync_api import Page

from stack.waiting import until

KEPT = "JSON.parse(sessionStorage.getItem('warmstart-history') ?? '[]').map(each => each.at)"
LOOKS = """async looks => {
  const {History} = await import("./assets/history.js");
  const history = new History();
  history.points = [];
  for (const [clock, requests] of looks) {
    const figures = {clock, requests, buckets: [], cache_hits: 0, cache_misses: 0};
    history.add({instance: "pod", parts: [{queue: {}}], figures});
  }
  return history.points.map(each => [each.rate, each.queue]);
}"""
DRAWN = """async points => {
  const {showCharts} = await import("./assets/charts.js");
  const box = document.createElement("div");
  showCharts(box, points);
  const drawn = each => [each.querySelector(".value").textContent, each.querySelector("path").getAttribute("d")];
  return [...box.children].map(drawn);
}"""


def test_the_charts_outlive_a_reload(page: Page) -> None:
    """What was measured before is still there when the page has looked again, so that it shows the last minutes."""

    def looks() -> list[int]:
        times: list[int] = page.evaluate(KEPT)
        return times

    before = until(lambda: looks() if len(looks()) > 1 else None, 60, "two looks at the system")
    page.reload()
    after = until(lambda: looks() if looks()[-1:] > before[-1:] else None, 60, "a look after the reload")
    assert after[: len(before)] == before


def test_the_same_answer_is_no_second_look(page: Page) -> None:
    """Counts of the same clock are no time without requests: the api shares its answer. No lane is no queue."""
    assert page.evaluate(LOOKS, [[1, 0], [2, 10], [2, 10], [3, 20]]) == [[None, None], [10, None], [10, None]]


def test_a_chart_has_gaps_and_says_what_is_new(page: Page) -> None:
    """Points are drawn at their time, nothing where nothing was measured, and an old value isn't said as the newest."""
    nothing: dict[str, Any] = {"rate": None, "p50": None, "p95": None, "hits": None, "queue": None}
    points = [nothing | {"at": 0, "rate": 1, "hits": 1}, nothing | {"at": 45_000}, nothing | {"at": 60_000, "rate": 2}]
    (said, requests), _, hits, _ = page.evaluate(DRAWN, points)
    assert said == "2.0/s"
    assert re.findall(r"[ML]([\d.]+) ", requests) == ["0.0", "0.0", "240.0", "240.0"]
    assert requests.count("Z") == 2
    assert hits[0] == "–"
    assert hits[1].startswith("M0.0 ")
