"""The commands of a page, and what it shows of their output.

A block of ```bash is a script; what it prints stands in a block of ```text right after it. A block of `$ ` lines
has both. Blocks of ```python count on README.md alone: docs/guide.md and docs/testing.md have tests of their own.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]
FENCED = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^ *```\n", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"\d+(\.\d+)?(e-?\d+)?")


@dataclass(frozen=True)
class Block:
    """One block: `script` for a shell, `shown` the lines that the page promises."""

    page: str
    script: str
    shown: tuple[str, ...] = ()

    def missing(self, printed: str) -> list[str]:
        """The lines shown that nothing of what was printed resembles: other numbers are the same, `…` is anything."""
        lines = [_loose(line) for line in printed.splitlines()]
        wanted = {line: re.escape(_loose(line)).replace("…", ".*") for line in self.shown}
        return [line for line, pattern in wanted.items() if not any(re.fullmatch(pattern, each) for each in lines)]


def _loose(line: str) -> str:
    return " ".join(NUMBER.sub("0", line).split())


def blocks_of(page: str) -> list[Block]:
    """The blocks of commands, in their order."""
    return list(_blocks(page, (ROOT / page).read_text()))


def _blocks(page: str, text: str) -> Iterator[Block]:
    found = list(FENCED.finditer(text))
    for block, after in pairwise([*found, None]):
        assert block
        body = re.sub(rf"^{block['indent']}", "", block["text"], flags=re.MULTILINE)
        if block["language"] in ("bash", "sh"):
            follows = after and after["language"] == "text" and not text[block.end() : after.start()].strip()
            yield Block(page, body, tuple(after["text"].splitlines()) if after and follows else ())
        elif block["language"] == "python" and page == "README.md":
            yield Block(page, f".venv/bin/python - <<'END'\n{body}END\n")
        elif body.startswith("$ "):
            lines = body.splitlines()
            script = "\n".join(line[2:] for line in lines if line.startswith("$ "))
            yield Block(page, f"{script}\n", tuple(line for line in lines if not line.startswith("$ ")))
