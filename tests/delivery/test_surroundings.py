"""What stands around the workflows: Dependabot, pre-commit, the devcontainer, the pages that name targets."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.delivery.workflows import ACTIONS, ROOT, make_targets, targets_named

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "loadtest" / "README.md"])


def committed(*patterns: str) -> set[str]:
    """Folders of the files that git knows by these names, as Dependabot writes them."""
    said = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return {f"/{folder}" if (folder := str(Path(line).parent)) != "." else "/" for line in said.splitlines()}


def watched(ecosystem: str) -> set[str]:
    """The folders that Dependabot looks into."""
    [update] = [
        each
        for each in yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())["updates"]
        if each["package-ecosystem"] == ecosystem
    ]
    return set(update.get("directories") or [update["directory"]])


def test_dependabot_looks_into_every_folder_that_asks_for_packages() -> None:
    """Of Python and node, images and actions."""
    assert watched("pip") == committed("pyproject.toml", "*/pyproject.toml", "*.in")
    assert watched("npm") == committed("*/package.json")
    assert watched("docker") == {"/k8s/components/stores"}
    assert watched("docker-compose") == committed("compose.yaml")
    assert watched("github-actions") == {"/"} | {f"/{path.parent.relative_to(ROOT)}" for path in ACTIONS}


def test_nothing_that_git_ignores_is_committed() -> None:
    """What is made again by a target, such as a wheel in dist, would stay as it once was."""
    listed = ["git", "ls-files", "--cached", "--ignored", "--exclude-standard"]
    assert subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout == ""


def test_pre_commit_checks_what_make_lint_checks() -> None:
    """The same tools with the same options, on what is committed."""
    [repository] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    hooks = {hook["entry"].removeprefix(".venv/bin/python -m ").removesuffix(" .") for hook in repository["hooks"]}
    recipe = re.search(r"^lint: .*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert recipe
    linted = {line.strip().removeprefix("$(RUN) -m ").removesuffix(" .") for line in recipe[1].splitlines()}
    assert hooks - {"make workflows"} == linted


def test_the_devcontainer_has_what_a_developer_needs() -> None:
    """The Python of the full tests, an engine, and an environment made by a target that exists."""
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    assert ":3.11-" in container["image"]
    assert any("docker-in-docker" in feature for feature in container["features"])
    assert targets_named(container["postCreateCommand"]) == {"install-dev"}


def test_the_makefile_uses_no_variable_that_a_page_has_users_set() -> None:
    """A name of its own would take the value of a user's: RUNS did, as `make drills RUNS=3` and from the shell."""
    makefile = (ROOT / "Makefile").read_text()
    told = {name for page in PAGES for name in re.findall(r"\b([A-Z_]+)=", page.read_text())}
    told |= set(re.findall(r"\b([A-Z_]+)=", "".join(re.findall(r"^\t@echo .*$", makefile, re.MULTILINE))))
    assert {"RUNS", "DRILLS", "PYTHON"} <= told
    assert not told & set(re.findall(r"^([A-Z_]+) *:?= ", makefile, re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_names_only_targets_that_exist(page: Path) -> None:
    """In its code, where `make` is a command."""
    block = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
    text = page.read_text()
    lines = "\n".join([*block.findall(text), *re.findall(r"`([^`\n]+)`", block.sub("", text))]).splitlines()
    assert {name for line in lines for name in commands(line)} <= make_targets()


def commands(line: str) -> set[str]:
    """The targets of a line that calls make, perhaps after variables, a prompt or another command; no comment."""
    code = line.partition(" #")[0].strip()
    return targets_named(code) if re.match(r"(\$ )?([A-Z_0-9]+=\S+ )*make |.*&& make ", code) else set()
