"""`python -m observability.dashboard` writes Grafana's JSON from `panels`."""

import json
from pathlib import Path
from typing import Any

from observability.panels import ROWS, Panel, Row

FILE = Path(__file__).parent / "grafana" / "warmstart.json"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
HEIGHT = 7  # of a panel, in Grafana's units
MAPPINGS = [
    {"type": "value", "options": {"1": {"text": "yes", "color": "green"}, "0": {"text": "no", "color": "orange"}}}
]


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana imports and provisions it."""
    return {
        "uid": "warmstart",
        "title": "Warmstart",
        "tags": ["warmstart"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "10s",
        "time": {"from": "now-30m", "to": "now"},
        "templating": {"list": [_datasource(), _instances()]},
        "panels": _panels(),
    }


def _datasource() -> dict[str, Any]:
    return {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}


def _instances() -> dict[str, Any]:
    query = "label_values(warmstart_build_info, instance)"
    return {
        "name": "instance",
        "type": "query",
        "datasource": SOURCE,
        "definition": query,
        "query": {"query": query, "refId": "instances"},
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def _panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    top = 0
    for row in ROWS:
        found.append(
            {"id": len(found) + 1, "type": "row", "title": row.title, "panels": [], "gridPos": _at(0, top, 24, 1)}
        )
        top = _lay_out(row, top + 1, found)
    return found


def _lay_out(row: Row, top: int, found: list[dict[str, Any]]) -> int:
    """Add the row's panels from left to right; returns where the next row begins."""
    left = 0
    for panel in row.panels:
        if left + panel.width > 24:
            left, top = 0, top + HEIGHT
        found.append({"id": len(found) + 1, "gridPos": _at(left, top, panel.width, HEIGHT), **_drawn(panel)})
        left += panel.width
    return top + HEIGHT


def _at(x: int, y: int, w: int, h: int) -> dict[str, int]:
    return {"x": x, "y": y, "w": w, "h": h}


def _drawn(panel: Panel) -> dict[str, Any]:
    now = panel.kind in ("bargauge", "stat")
    defaults: dict[str, Any] = {"unit": panel.unit, "min": 0}
    if panel.kind == "state-timeline":
        defaults |= {"mappings": MAPPINGS}
    if panel.kind == "timeseries":
        stacking = {"mode": "normal" if panel.stacked else "none"}
        defaults |= {
            "custom": {"fillOpacity": 30 if panel.stacked else 10, "showPoints": "never", "stacking": stacking}
        }
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": _options(panel.kind),
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "expr": each.expr,
                "legendFormat": each.legend,
                "instant": now,
                "exemplar": panel.exemplars,
                "range": not now,
            }
            for index, each in enumerate(panel.queries)
        ],
    }


def _options(kind: str) -> dict[str, Any]:
    last = {"calcs": ["lastNotNull"]}
    options: dict[str, dict[str, Any]] = {
        "timeseries": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "state-timeline": {"mergeValues": True, "showValue": "never", "legend": {"showLegend": False}},
        "bargauge": {"orientation": "horizontal", "displayMode": "basic", "reduceOptions": last},
        "stat": {"textMode": "name", "graphMode": "none", "colorMode": "none", "reduceOptions": last},
    }
    return options[kind]


def text() -> str:
    """The file's content."""
    return json.dumps(dashboard(), indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(text())
