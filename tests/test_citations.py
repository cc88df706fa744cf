"""What code, tests and docs cite can be read by whoever has the repository alone."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
CITED = re.compile(r"docs/lifecycle\.md, rules? ([\d, ]+(?:(?:and|to) \d+)?)")
HEADING = re.compile(r"^## (\d+)\. ", re.MULTILINE)


def texts() -> dict[str, str]:
    """Every text that is committed, by path."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    kinds = (".py", ".md", ".yaml", ".toml")
    paths = [path for path in listed.splitlines() if path.endswith(kinds) and (ROOT / path).is_file()]
    return {path: (ROOT / path).read_text() for path in paths}


def test_every_cited_rule_stands_in_its_page() -> None:
    """Code and tests cite rules of docs/lifecycle.md by number; each number is a heading there."""
    rules = set(HEADING.findall((ROOT / "docs" / "lifecycle.md").read_text()))
    cited = {
        (number, path)
        for path, text in texts().items()
        for numbers in CITED.findall(text)
        for number in re.findall(r"\d+", numbers)
    }
    assert cited
    assert {(number, path) for number, path in cited if number not in rules} == set()


def test_every_relative_link_of_the_docs_leads_somewhere() -> None:
    """A link of a page to a file of the repository, and to a heading of a page, finds it."""
    broken = []
    for path, text in texts().items():
        if path.endswith(".md"):
            for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text):
                name, _, anchor = target.partition("#")
                file = (ROOT / path).parent / name if name else ROOT / path
                if not file.exists() or (anchor and anchor not in anchors(file.read_text())):
                    broken.append((path, target))
    assert broken == []


def anchors(page: str) -> set[str]:
    """The names that GitHub gives to a page's headings."""
    headings = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
