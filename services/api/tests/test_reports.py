"""The reports that the page shows, and the files that it links to."""

import json
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from services.api.tests.conftest import Start

TRIALS = [
    ("lazy", 5.0, True),
    ("lazy", 4.0, True),
    ("lazy", 99.0, False),
    ("artifact", 1.5, True),
    ("artifact", None, True),
]
LEDGER = {"sent": 10, "ok": 9}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Reports of both kinds, a secret beside their folder, and a link to it inside."""
    found = tmp_path / "reports"
    trials = [
        {"strategy": name, "start": {"first_embedding": seconds}, "valid": valid} for name, seconds, valid in TRIALS
    ]
    machine = {"measured": "2026-11-26 13:08 UTC", "cpus": 2, "cpu": "EPYC"}
    drills = [
        {"name": "pause", "verdict": "held", "control": "", "ledger": LEDGER},
        {"name": "pause", "verdict": "failed as it must", "control": "patience", "ledger": LEDGER},
        {"name": "cut", "verdict": "broken", "control": "", "ledger": None},
    ]
    for name, summary in {"coldstart": {"machine": machine, "trials": trials}, "drills": {"drills": drills}}.items():
        (found / name).mkdir(parents=True)
        (found / name / "summary.json").write_text(json.dumps(summary))
        (found / name / "index.html").write_text(f"<title>{name}</title>")
    (tmp_path / "secret.json").write_text("{}")
    (found / "drills" / "link.json").symlink_to(tmp_path / "secret.json")
    (found / "drills" / "circle.html").symlink_to("circle.html")
    (found / "drills" / "notes.txt").write_text("")
    return found


def reports(client: TestClient) -> dict[str, Any]:
    """The figures."""
    answer: dict[str, Any] = client.get("/v1/reports").json()
    return answer


def test_the_latest_figures_are_told(start: Start, folder: Path) -> None:
    """Medians of undisturbed starts, slowest first, and the drills' verdicts, controls included."""
    found = reports(start(reports_folder=folder))
    assert found["coldstart"]["strategies"] == [
        {"name": "lazy", "starts": 2, "first_embedding": 4.5},
        {"name": "artifact", "starts": 1, "first_embedding": 1.5},
    ]
    told = {"good": 2, "bad": ["cut"], "requests": 10, "lost": 1, "page": "reports/drills/index.html"}
    assert found["drills"] == told


def test_a_report_that_makes_no_sense_is_none(start: Start, folder: Path) -> None:
    """One that is missing, or of another form, hides no other one."""
    (folder / "drills" / "summary.json").write_text('{"drills": 1}')
    found = reports(start(reports_folder=folder))
    assert (found["drills"], bool(found["coldstart"])) == (None, True)
    (folder / "coldstart" / "summary.json").unlink()
    assert reports(start(reports_folder=folder))["coldstart"] is None


def test_a_report_is_served_in_a_sandbox(start: Start, folder: Path) -> None:
    """Its own style works, but it can do nothing in the name of the page's origin."""
    page = start(reports_folder=folder).get("/reports/drills/index.html")
    assert page.text == "<title>drills</title>"
    assert page.headers["Content-Security-Policy"].startswith("sandbox")
    again = start(reports_folder=folder).get(
        "/reports/drills/index.html", headers={"If-None-Match": page.headers["ETag"]}
    )
    assert again.headers["Content-Security-Policy"] == page.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "path",
    [
        "../secret.json",
        "%2e%2e/secret.json",
        "drills/..%2f..%2fsecret.json",
        "drills/link.json",
        "drills/notes.txt",
        "drills",
        "drills/none.html",
        "%2fetc/passwd",
        "a%00.html",
        "drills/circle.html",
        "drills/circle.html/page.html",
        pytest.param("a" * 300 + ".html", id="a long name"),
        pytest.param("a/" * 3000 + ".html", id="a long path"),
        "%ff.html",
    ],
)
def test_no_other_file_is_served(start: Start, folder: Path, path: str) -> None:
    """No path, and no link in the folder, leads out of it."""
    assert start(reports_folder=folder).get(f"/reports/{path}").status_code == 404


def test_without_a_folder_there_are_no_reports(start: Start) -> None:
    """That is the default."""
    client = start()
    assert reports(client) == {"folder": False, "coldstart": None, "drills": None}
    assert client.get("/reports/drills/index.html").status_code == 404
