"""The workflows of GitHub: what they name exists, and they may do no more than they must."""

import re
from pathlib import Path

import pytest

from drills.matrix import ROWS
from tests.delivery.workflows import ACTIONS, FILES, ROOT, jobs, make_targets, read, scripts, steps, targets_named

PINNED = re.compile(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
named = pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)


@pytest.mark.parametrize("path", [*FILES, *ACTIONS], ids=lambda path: path.name)
def test_every_foreign_action_is_pinned(path: Path) -> None:
    """To a commit, since a tag can be moved, with the version beside it for people and Dependabot."""
    uses = re.findall(r"uses: .*", path.read_text())
    assert [line for line in uses if not PINNED.match(line) and not line.startswith("uses: ./")] == []


def test_every_version_has_one_commit() -> None:
    """All workflows mean the same commit by a version of an action."""
    pins = {pin for path in [*FILES, *ACTIONS] for pin in re.findall(r"uses: (\S+)@(\S+) # (v\S+)", path.read_text())}
    assert len(pins) == len({(action, version) for action, _, version in pins})


@pytest.mark.parametrize("path", [*FILES, *ACTIONS], ids=lambda path: path.name)
def test_what_a_workflow_names_exists(path: Path) -> None:
    """Make's targets, modules of Python, files, local actions and workflows, and the folders of path filters."""
    text = "\n".join(scripts(path))
    assert targets_named(text) <= make_targets()
    modules = set(re.findall(r"\.venv/bin/python -m (\S+)", text)) - {"pytest"}
    assert [name for name in modules if not list(ROOT.glob(f"{name.replace('.', '/')}*"))] == []
    folders = "|".join(each.name for each in ROOT.iterdir() if each.is_dir() and not each.name.startswith("."))
    files = re.findall(rf"(?<![\w./-])(?:{folders})/[\w./*-]+(?!\S*\$)", re.sub(r"reports/\S+|dist/\S+", "", text))
    locals_ = re.findall(r"uses: \./(\S+)", path.read_text())
    filters = (read(path).get("on") or {}).get("pull_request") or {}
    assert [each for each in [*files, *locals_, *filters.get("paths", [])] if not list(ROOT.glob(each))] == []


def test_the_drills_that_workflows_name_exist() -> None:
    """A word that no drill has would choose none, or all the others."""
    chosen = re.findall(r"(?:drills: |DRILLS: .*&& ')([a-z_ ]+)", "".join(path.read_text() for path in FILES))
    words = {word for expression in chosen for word in expression.split(" or ")}
    assert len(words) > 2
    assert {word for word in words if not any(word in row.name for row in ROWS)} == set()


@named
def test_nobody_gets_more_than_the_job_needs(path: Path) -> None:
    """No right by default, each job's by name; nothing runs a stranger's code with rights, or takes secrets."""
    assert read(path)["permissions"] == {}
    assert all("permissions" in job for job in jobs(path).values())
    text = path.read_text()
    assert "pull_request_target" not in text
    assert "secrets" not in text
    if "pull_request" in read(path)["on"]:
        assert {right for job in jobs(path).values() for right in job["permissions"].values()} == {"read"}
    for step in steps(path):
        assert not step.get("uses", "").startswith("actions/checkout@") or not step["with"]["persist-credentials"]


@named
def test_no_input_is_part_of_a_script(path: Path) -> None:
    """A branch may be named `$(…)`: scripts take such things from their environment."""
    assert [script for script in scripts(path) if "${{" in script] == []


@named
def test_every_run_is_bounded(path: Path) -> None:
    """Each workflow has its own concurrency group, each job a time limit; only a pull request's run is cancelled."""
    group = read(path)["concurrency"]
    assert group["cancel-in-progress"] in (False, "${{ github.event_name == 'pull_request' }}")
    assert [read(each)["concurrency"]["group"] for each in FILES].count(group["group"]) == 1
    assert all("uses" in job or job["timeout-minutes"] <= 90 for job in jobs(path).values())


@named
def test_a_failure_before_a_pipe_is_a_failure(path: Path) -> None:
    """GitHub's default is `bash -e`; with `shell: bash` it is also `-o pipefail`. What `<(…)` runs can fail unseen."""
    if scripts(path):
        assert read(path).get("defaults") == {"run": {"shell": "bash"}}
    assert [step for job in jobs(path).values() for step in job.get("steps", []) if "shell" in step] == []
    assert [script for script in scripts(path) if "<(" in script] == []


@pytest.mark.parametrize("path", ACTIONS, ids=lambda path: path.parent.name)
def test_an_actions_scripts_run_in_bash(path: Path) -> None:
    """An action has no defaults: each of its steps says it."""
    assert [step for step in steps(path) if "run" in step and step["shell"] != "bash"] == []
    assert [script for script in scripts(path) if "<(" in script] == []


def test_ci_requires_every_tool() -> None:
    """A test that a missing tool would leave out fails there: on GitHub, and in the project's own CI."""
    files = [
        ROOT / "conftest.py",
        *(each for part in ("tests", "services", "libs") for each in ROOT.glob(f"{part}/**/test_*.py")),
    ]
    named = {name for each in files for name in re.findall(r'"(REQUIRE_[A-Z]+)"', each.read_text())}
    assert {"REQUIRE_ENGINE", "REQUIRE_PGBOUNCER"} < named
    required = jobs(ROOT / ".github" / "workflows" / "ci.yml")["test"]["env"]
    assert named - set(required) == set()
    assert named - set(re.findall(r"(REQUIRE_[A-Z]+)=1", (ROOT / ".ci" / "run").read_text())) == set()


def test_ci_covers_the_pythons_that_the_project_supports() -> None:
    """3.11 with all tests, and each later one that make install takes."""
    [low, high] = re.findall(r"3, 1[1-9]", (ROOT / "requirements" / "install.sh").read_text())[:2]
    supported = [f"3.{minor}" for minor in range(int(low[3:]), int(high[3:]))]
    tried = jobs(ROOT / ".github" / "workflows" / "ci.yml")["test-python"]["strategy"]["matrix"]["python"]
    assert ["3.11", *tried] == supported
