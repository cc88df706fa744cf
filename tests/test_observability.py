"""The files of observability/: what is made from other files is up to date, and promtool finds the rest in order."""

import re
import subprocess
from typing import Any

import pytest
import yaml

from observability import dashboard, rule
from stack.site import REPOSITORY
from tests.harness.prometheus import RULES

FOLDER = REPOSITORY / "observability"
ALERTS: Any = [each for group in yaml.safe_load(RULES.read_text())["groups"] for each in group["rules"]]
TESTS: Any = yaml.safe_load((FOLDER / "alerts_test.yaml").read_text())["tests"]


def test_what_is_made_is_up_to_date() -> None:
    """`python -m observability.dashboard` and `python -m observability.rule` would change nothing."""
    assert dashboard.FILE.read_text() == dashboard.text()
    assert rule.FILE.read_text() == rule.text()


def test_the_rule_of_the_operator_has_the_alerts() -> None:
    """The object is read as it is meant."""
    assert yaml.safe_load(rule.FILE.read_text())["spec"] == yaml.safe_load(RULES.read_text())


def test_every_alert_is_tried_and_documented() -> None:
    """Each fires in one of the tests of rules and is silent in another, and docs/observability.md says what to do."""
    tried = [each for test in TESTS for each in test["alert_rule_test"]]
    names = {each["alert"] for each in ALERTS}
    assert {each["alertname"] for each in tried if each["exp_alerts"]} == names
    assert {each["alertname"] for each in tried if not each["exp_alerts"]} == names
    text = (REPOSITORY / "docs" / "observability.md").read_text()
    assert set(re.findall(r"^\| `(Warmstart\w+)` \|", text, re.MULTILINE)) == names


@pytest.mark.prometheus
@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "config", "prometheus.yaml"),
        ("check", "rules", "alerts.yaml"),
        ("test", "rules", "alerts_test.yaml"),
    ],
    ids=" ".join,
)
def test_promtool_finds_nothing(arguments: tuple[str, ...]) -> None:
    """The settings are read, and each alert fires when it should."""
    command = ["promtool", *arguments]
    done = subprocess.run(command, check=False, cwd=FOLDER, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
