"""What a person sees of the system: a warm-up, a lost worker, what is degraded, a key that is missing."""

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Route, expect

from stack import EmbeddedStack
from tests.page.conftest import Open


def violations(page: Page) -> str:
    """Those of axe-core's checks that the page doesn't pass, best practices included."""
    found = Axe().run(page)
    report: str = found.generate_report() if found.violations_count else ""
    return report


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_all_can_use_it(open_page: Open, scheme: str, width: int) -> None:
    """axe-core finds nothing wrong, in both colour schemes, on a phone too, where nothing is wider than the screen."""
    page = open_page(color_scheme=scheme, viewport={"width": width, "height": 900})
    expect(page.locator("#state")).to_have_text("ready")
    page.fill("#query", "a mountain")
    page.press("#query", "Enter")
    expect(page.locator("#found")).to_contain_text("ms")
    page.click("#key-box summary")
    page.get_by_role("button", name="Valkey looks dead").wait_for()
    assert violations(page) == ""
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_the_keyboard_reaches_the_search_first(page: Page) -> None:
    """The first tab stop leads past the header."""
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to search")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#query")).to_be_focused()


def test_degraded_is_amber_under_a_ready_service(page: Page) -> None:
    """A switch that makes Valkey look dead shows at once as degraded, with its reason, and goes back by its button."""
    switch = page.get_by_role("button", name="Valkey looks dead")
    switch.click()
    state = page.locator("#state")
    expect(state).to_have_text("degraded: redis")
    expect(state).to_have_attribute("data-state", "warn")
    row = page.locator(".timeline li", has_text="redis")
    expect(row.locator(".resource-state")).to_have_text("degraded")
    expect(row.locator(".why")).to_contain_text("a fault switch makes it fail")
    assert violations(page) == ""
    switch.click()
    expect(state).to_have_text("ready")


def test_a_switch_of_the_worker_reaches_it(page: Page) -> None:
    """The button of a broken model takes the worker out of service, and shows it so; its second press repairs it."""
    switch = page.get_by_role("button", name="model looks broken")
    switch.click()
    worker = page.locator(".part", has_text="worker").last
    expect(worker.locator(".pill")).to_have_text("not ready")
    expect(switch).to_have_attribute("aria-pressed", "true")
    switch.click()
    expect(worker.locator(".pill")).to_have_text("ready")


def test_a_lost_worker_is_seen_and_its_return_too(page: Page, stack: EmbeddedStack) -> None:
    """The board says that the worker gives no answer; a search waits; both go on by themselves when it is back."""
    worker = page.locator(".part", has_text="worker").last
    stack.stop("worker")
    expect(worker.locator(".pill")).to_have_text("no answer")
    expect(page.locator("#state")).to_have_attribute("data-state", re.compile("warn|bad"))
    page.fill("#query", "a search while no worker is there")
    page.press("#query", "Enter")
    expect(page.locator("#found")).to_contain_text("as the service asks")
    stack.start("worker")
    expect(worker.locator(".pill")).to_have_text("ready")
    expect(page.locator("#found")).to_have_text(re.compile(r"ms\.$"))
    expect(page.locator("#state")).to_have_text("ready")


def test_a_warm_up_is_seen_live(page: Page, stack: EmbeddedStack) -> None:
    """A page that is open while the api starts without a worker says what it waits for, and then that it is ready."""
    stack.stop("worker")
    stack.stop("api")
    expect(page.locator("#state")).to_have_text("no answer")
    stack.start("api", wait=False)
    expect(page.locator("#warmup-title")).to_contain_text("Warming up")
    expect(page.locator("#waiting")).to_contain_text("The api waits for worker")
    assert violations(page) == ""
    stack.start("worker")
    expect(page.locator("#state")).to_have_text("ready")
    expect(page.locator("#warmup")).to_be_hidden()
    row = page.locator(".timeline li", has_text="worker")
    expect(row.locator(".resource-state")).to_have_text(re.compile(r"^ready, \d+ attempts$"))


@pytest.fixture
def keys(stack: EmbeddedStack) -> Iterator[None]:
    """The api has one key, and none again for the tests that follow."""
    stack.restart("api", environment={"API_KEYS": "the-key", "FAULTS_ENABLED": "0"})
    yield
    stack.restart("api")


@pytest.mark.usefixtures("page", "keys")
def test_a_key_is_asked_for_and_used(page: Page) -> None:
    """With keys, the page asks for one and says where to enter it, after a wrong one, too; with the key it works."""
    expect(page.locator("#state")).to_have_text("needs a key")
    page.fill("#key", "no key “of” 日本")  # no header holds these letters as they are
    page.click("#key-form button")
    expect(page.locator("#state")).to_have_text("key refused")
    expect(page.locator("#board")).to_contain_text("a valid API key is needed")
    page.fill("#key", "the-key")
    page.click("#key-form button")
    expect(page.locator("#state")).to_have_text("ready")
    page.fill("#query", "with a key")
    page.press("#query", "Enter")
    expect(page.locator("#found")).to_contain_text("ms.")
    expect(page.locator("#faults")).to_be_hidden()


def test_the_served_model_is_shown_beside_one_of_chats(page: Page) -> None:
    """Where the list has a chat model, which has no dimensions, the page shows the embedding model as without it."""
    alone = re.compile(r"^\S+, 384 dimensions, fake \S+: serving$")
    expect(page.locator("#models")).to_have_text(alone)

    def add_one_of_chats(route: Route) -> None:
        listed = route.fetch().json()
        listed["data"].append({"id": "a-chat-model", "object": "model", "created": 0, "owned_by": "chat"})
        route.fulfill(json=listed)

    page.route("**/v1/models", add_one_of_chats)
    page.reload()
    expect(page.locator("#models")).to_have_text(alone)
