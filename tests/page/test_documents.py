"""What a person does with documents: adds, searches, filters, deletes them."""

import json
import re

from playwright.sync_api import Page, Route, expect

from stack import EmbeddedStack
from stack.http import ask

SCRIPT = "<img src=x onerror=\"document.title='harmed'\"><script>document.title='harmed'</script>"


def paste(page: Page, *documents: dict[str, object]) -> None:
    """Add documents as JSON Lines."""
    page.fill("#text", "\n".join(map(json.dumps, documents)))
    page.click("#add button")
    expect(page.locator("#added")).to_have_text(re.compile(rf"^{len(documents)} stored in .*\.$"))


def search(page: Page, query: str) -> None:
    """With the keyboard alone."""
    page.fill("#query", query)
    page.press("#query", "Enter")


def test_a_document_is_added_found_and_deleted(page: Page) -> None:
    """Results come with score, metadata and stages; a chip filters, a second press deletes for good."""
    paste(
        page,
        {"id": "one", "text": "a text of its own", "metadata": {"country": "IT", "parts": [1, 2]}},
        {"id": "two", "text": "a text of its own", "metadata": {"country": "JP"}},
    )
    search(page, "a text of its own")
    expect(page.locator("#found")).to_have_text(re.compile(r"^\d+ found in \d+ ms\.$"))
    results = page.locator(".result")
    expect(results.first).to_contain_text("a text of its own")
    expect(results.first.locator(".score")).to_contain_text("1.000")
    assert page.locator(".legend [data-stage=database] b").inner_text().endswith("ms")
    page.get_by_role("button", name="Only country: JP").first.click()
    expect(results).to_have_count(1)
    expect(results.first).to_contain_text("two")
    page.get_by_role("button", name="Delete two").click()
    page.get_by_role("button", name="Delete for good").click()
    expect(page.locator("#found")).to_have_text("Deleted two.")
    expect(results).to_have_count(0)
    page.get_by_role("button", name="Remove the filter country: JP").click()
    expect(results.first.locator(".id")).to_have_text("one")


def test_a_search_says_when_nothing_is_close(page: Page) -> None:
    """With a low best score, results are shown as what they are; without any result, that is said."""
    paste(page, {"id": "far", "text": "something else"})
    search(page, "about another matter")
    expect(page.locator("#found")).to_have_text(re.compile(r"^Nothing close: the best score is -?0\.\d\d in"))


def test_documents_are_text_whatever_they_hold(page: Page) -> None:
    """A document, its metadata and a message with markup show as they are, and nothing of them runs."""
    paste(page, {"id": "markup", "text": SCRIPT, "metadata": {SCRIPT: SCRIPT}})
    search(page, SCRIPT)
    expect(page.locator(".result").first.locator(".text").first).to_have_text(SCRIPT)
    page.locator(".result").first.locator("button.chip").click()
    expect(page.locator("#filters .chip")).to_contain_text(SCRIPT[:70])
    expect(page.locator(".result")).to_have_count(1)
    assert page.locator("main img, main script").count() == 0
    assert "harmed" not in page.title()


def test_a_file_is_stored_in_batches_as_the_service_asks(page: Page, stack: EmbeddedStack) -> None:
    """Each line becomes a document; a refusal is waited out, a bad line is named, and all others are stored."""
    lines = [json.dumps({"id": f"line-{n}", "text": f"line {n}"}) for n in range(1, 301)]
    lines[99] = '{"id": "line-100"}'
    lines[149] = json.dumps({"id": "not an id", "text": "line 150"})
    calls = 0

    def refuse_the_second(route: Route) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            error = {"message": "the queue is full", "type": "", "param": None, "code": "overloaded"}
            route.fulfill(status=503, headers={"Retry-After": "2"}, json={"error": error})
        else:
            route.continue_()

    page.route("**/v1/documents", refuse_the_second)
    said: list[str] = []
    page.expose_function("noteSaid", lambda text: said.append(text))  # noqa: PLW0108 - it must have attributes
    page.evaluate(
        "new MutationObserver(() => noteSaid(document.getElementById('added').textContent))"
        ".observe(document.getElementById('added'), {childList: true, characterData: true, subtree: true})"
    )
    page.set_input_files("#file", {"name": "x.jsonl", "mimeType": "", "buffer": "\n".join(lines).encode()})
    expect(page.locator("#added")).to_have_text(re.compile(r"^298 stored in .*, 2 refused\.$"))
    refused = page.locator("#refused li")
    expect(refused).to_have_text([re.compile('^Line 100: it has no "text"'), re.compile("^Line 150: documents")])
    assert any("waiting 2 s, as the service asks: the queue is full" in each for each in said)
    assert any(re.match(r"\d+ stored, [\d,]+ a second", each) for each in said)
    assert calls >= 6
    assert ask(f"{stack.url('api')}/v1/documents/line-300").status == 200


def test_json_of_many_lines_is_no_file_of_lines(page: Page) -> None:
    """A JSON array would become a document for each of its lines: it is refused, with what is wanted instead."""
    page.set_input_files("#file", {"name": "x.json", "mimeType": "", "buffer": b'[\n{"text": "a"}\n]'})
    expect(page.locator("#added")).to_contain_text("not JSON Lines")


def test_plain_text_becomes_one_document_or_one_a_line(page: Page) -> None:
    """What was pasted is one document, unless the box says that each line is one."""
    page.fill("#text", "first line\nsecond line")
    page.click("#add button")
    expect(page.locator("#added")).to_have_text(re.compile("^1 stored"))
    page.fill("#text", "first line\n\nsecond line")
    page.check("#lines")
    page.click("#add button")
    expect(page.locator("#added")).to_have_text(re.compile("^2 stored"))


def test_what_is_refused_is_said_in_words(page: Page) -> None:
    """An answer of the api other than 200 reaches the person as the api's own message."""
    page.route("**/v1/search", lambda route: route.fulfill(status=502, body="<h1>bad gateway</h1>"))
    search(page, "anything")
    expect(page.locator("#found")).to_have_text("The service answered 502.")
    expect(page.locator("#found")).to_have_attribute("data-kind", "bad")


def test_long_documents_are_cut_between_characters(page: Page) -> None:
    """The beginning of a text, and of a metadata value, ends with a whole character; all of both can be opened."""
    family = "👩‍👩‍👧‍👦"
    paste(page, {"id": "long", "text": "a" + family * 60, "metadata": {"note": "V" * 4000}})
    search(page, "a" + family * 60)
    result = page.locator(".result").first
    expect(result.locator(".text").first).to_have_text(re.compile(f"^a({family})+ …$"))
    chip = result.get_by_role("button", name="Only note: VVV")
    expect(chip).to_have_text(re.compile("^note: V{70,90} …$"))
    result.get_by_text("All of its metadata").click()
    expect(result.get_by_text("V" * 4000)).to_be_visible()
    chip.click()
    expect(page.locator(".result")).to_have_count(1)
