"""docs/guide.md shows what the examples have, and its commands name what exists."""

import re

from tests.examples.servers import EXAMPLES
from tests.harness.gunicorn import REPOSITORY

GUIDE = (REPOSITORY / "docs" / "guide.md").read_text()
SOURCES = [path.read_text() for path in [*EXAMPLES.glob("*.py"), *(REPOSITORY / "tests" / "examples").glob("*.py")]]


def test_every_block_of_the_guide_stands_in_a_file_that_runs() -> None:
    """Each Python block is a part of an example or of its tests, word for word."""
    blocks = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    assert blocks
    assert [block for block in blocks if not any(block in source for source in SOURCES)] == []


def test_every_step_is_shown_with_its_command() -> None:
    """The guide runs each step by the name that its file has."""
    steps = {path.stem for path in EXAMPLES.glob("step*.py")}
    assert {step for step in steps if f"{step}.py" not in GUIDE} == set()
    assert set(re.findall(r"(step\d\w+):", GUIDE)) <= steps
