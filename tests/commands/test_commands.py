"""Every command of README.md and docs runs, and prints what the page shows."""

from collections.abc import Iterator

import pytest

from tests.commands.blocks import PAGES, Block, blocks_of
from tests.commands.checkout import Checkout
from tests.commands.elsewhere import ELSEWHERE, FIRST_TIME


def elsewhere(block: Block) -> list[tuple[str, str]]:
    """The entries that name it."""
    return [key for key in ELSEWHERE if key[0] == block.page and block.script.startswith(key[1])]


RUNNING = {page: [block for block in blocks_of(page) if not elsewhere(block)] for page in PAGES}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """One for all pages; whatever they left running is stopped."""
    checkout = Checkout(tmp_path_factory.mktemp("checkout"))
    yield checkout
    checkout.run(".venv/bin/python -m stack discard")


@pytest.mark.parametrize("page", [page for page in PAGES if RUNNING[page]])
def test_the_commands_of_a_page_run(checkout: Checkout, page: str) -> None:
    """From top to bottom, each succeeds and prints what the page shows of it, with other numbers."""
    assert checkout.run("make down" if "make up" in RUNNING[page][0].script else "make up")[0] == 0
    for block in RUNNING[page]:
        status, printed = checkout.run(block.script)
        missing = [line for line in block.missing(printed) if not line.startswith(FIRST_TIME)]
        assert (status, missing) == (0, []), f"{block.script}\nprinted:\n{printed}"


def test_a_block_that_runs_elsewhere_is_one_of_a_page() -> None:
    """No reason is left over from a block that has changed or gone."""
    named = {key for page in PAGES for block in blocks_of(page) for key in elsewhere(block)}
    assert set(ELSEWHERE) - named == set()


def test_lines_are_compared_without_their_numbers() -> None:
    """A line with other numbers is the same, `…` stands for anything, and other words are missing."""
    block = Block("page", "", ("0.2 s  worker    ready", '{"id": "etna", "score": 0.61, …}', "another", "…"))
    assert block.missing('12.4 s worker ready\n{"id": "etna", "score": 1e-05, "rest": 3}\nanother one') == ["another"]
