"""One system with a fake engine, and one browser: Debian's chromium, as a person would have it."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from stack import EmbeddedStack, free_ports

pytest.importorskip("playwright")

from playwright.sync_api import Browser, Page, expect, sync_playwright

CHROMIUM = shutil.which("chromium") or "chromium"
PATIENCE = 60_000  # milliseconds; what is waited for takes a few seconds at most, on an idle machine
SETTINGS = {"ENGINE": "fake", "DRAIN_SECONDS": "0", "FAULTS_ENABLED": "1"}

Open: TypeAlias = Callable[..., Page]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test here needs the browser."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("browser")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack]:
    """Up once for all tests of the page."""
    with EmbeddedStack(tmp_path_factory.mktemp("stack"), free_ports(), environment=SETTINGS) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Of each module: while one runs, no test can have an event loop of its own."""
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        # As root, chromium has no sandbox.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(stack: EmbeddedStack, browser: Browser) -> Iterator[Open]:
    """`open_page(color_scheme="dark")`: the page in a tab of its own; an error that nobody caught fails the test."""
    errors: list[str] = []
    contexts = []

    def begin(**options: object) -> Page:
        context = browser.new_context(**options)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: errors.append(str(error)))
        # The policy's refusals are errors of the console; so are answers that the test asks for.
        page.on("console", lambda said: errors.append(said.text) if "Content Security Policy" in said.text else None)
        page.goto(stack.url("api"))
        return page

    yield begin
    for context in contexts:
        context.close()
    assert errors == []


@pytest.fixture
def page(open_page: Open) -> Page:
    """The page, once it has seen that all is well."""
    page = open_page()
    expect(page.locator("#state")).to_have_text("ready")
    return page
