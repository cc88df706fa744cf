"""What the page stores of a file, what it refuses, and what it says of it: nothing is lost in green."""

import json
import re
from collections.abc import Iterable

from playwright.sync_api import Page, Route, expect

from stack import EmbeddedStack
from stack.http import ask

DROP = """name => {
  const dropped = new DataTransfer();
  dropped.items.add(new File([JSON.stringify({id: name, text: name})], name + ".jsonl"));
  document.getElementById("drop").dispatchEvent(new DragEvent("drop", {dataTransfer: dropped, cancelable: true}));
}"""


def upload(page: Page, name: str, content: bytes, said: str) -> None:
    """Choose a file, and wait for what the page says in the end."""
    page.evaluate("document.getElementById('added').textContent = ''")
    page.set_input_files("#file", {"name": name, "mimeType": "", "buffer": content})
    expect(page.locator("#added")).to_have_text(re.compile(said))


def json_lines(documents: Iterable[object]) -> bytes:
    """A document a line."""
    return "\n".join(map(json.dumps, documents)).encode()


def test_a_line_at_which_the_model_fails_is_named_and_the_others_are_stored(page: Page, stack: EmbeddedStack) -> None:
    """It would fail again: nobody waits for it, as for a worker that is away."""

    def fail_at_bad(route: Route) -> None:
        sent = json.loads(route.request.post_data or "")
        texts = [each["text"] for each in sent["documents"]]
        if "bad" not in texts:
            route.continue_()
            return
        where = f"documents.{texts.index('bad')}.text"
        message = f"worker is unavailable: {where} could not be embedded"
        error = {"message": message, "type": "unavailable_error", "param": where, "code": "dependency_unavailable"}
        route.fulfill(status=503, json={"error": error})

    page.route("**/v1/documents", fail_at_bad)
    documents = [{"id": f"beside-{text}", "text": text} for text in ("good", "bad", "better")]
    upload(page, "x.jsonl", json_lines(documents), "^2 stored .* 1 refused")
    expect(page.locator("#refused li")).to_have_text(re.compile("^Line 2: .*could not be embedded"))
    assert ask(f"{stack.url('api')}/v1/documents/beside-better").status == 200


def test_a_line_for_which_the_whole_call_is_refused_is_found(page: Page, stack: EmbeddedStack) -> None:
    """A line that nests too deep or holds too many values for a call is named, and the lines beside it are stored."""
    documents = [{"id": f"whole-{n}", "text": "a"} for n in range(10)]
    lines = json_lines(documents).split(b"\n")
    lines[3] = b'{"text": "a", "metadata": {"k": ' + b"[" * 1500 + b"]" * 1500 + b"}}"
    lines[7] = json.dumps({"text": "a", "metadata": {"k": [0] * 300_000}}).encode()
    upload(page, "x.jsonl", b"\n".join(lines), "^8 stored .* 2 refused")
    refused = [re.compile("^Line 4: .*not too deep"), re.compile("^Line 8: .* JSON values$")]
    expect(page.locator("#refused li")).to_have_text(refused)
    assert ask(f"{stack.url('api')}/v1/documents/whole-9").status == 200


def test_an_id_is_stored_as_it_is_written_or_refused(page: Page, stack: EmbeddedStack) -> None:
    """Null is no id, a number is its digits; a number that a browser rounds is refused by line, as any other value."""
    documents: list[object] = [
        {"id": given, "text": "a"} for given in (None, None, 2**53 - 1, 10**18 + 1, 10**18 + 2, True, ["x"])
    ]
    upload(
        page, "x.jsonl", json_lines([*documents, {"text": "b", "metadata": {"order": 10**18 + 3}}]), "^3 stored .* 5"
    )
    rounded, other = re.compile(r"^Line \d: .* rounds"), re.compile(r"^Line \d: .* neither text nor a number$")
    expect(page.locator("#refused li")).to_have_text([rounded, rounded, other, other, rounded])
    assert ask(f"{stack.url('api')}/v1/documents/{2**53 - 1}").status == 200
    assert ask(f"{stack.url('api')}/v1/documents/null").status == 404


def test_what_stands_before_twenty_bad_lines_is_stored(page: Page, stack: EmbeddedStack) -> None:
    """The rest is left, and every refusal is shown with its reason."""
    lines: list[object] = [{"id": "before", "text": "a"}, *[{"bad": 1}] * 20, {"id": "after", "text": "a"}]
    upload(
        page, "x.jsonl", json_lines(lines), r"^1 stored in .*, 20 refused\. After so many the rest of it was left\.$"
    )
    expect(page.locator("#refused li")).to_have_text([f'Line {n}: it has no "text"' for n in range(2, 22)])
    found = [ask(f"{stack.url('api')}/v1/documents/{name}").status for name in ("before", "after")]
    assert found == [200, 404]


def test_only_json_lines_are_read_as_json(page: Page) -> None:
    """An array is refused, as a file and pasted; a text that begins with a quotation is text, of UTF-8 only."""
    array = b'[{"text": "a"}, {"text": "b"}]'
    upload(page, "x.json", array, "not JSON Lines")
    page.fill("#text", array.decode())
    page.click("#add button")
    expect(page.locator("#added")).to_contain_text("not JSON Lines")
    upload(page, "x.txt", b'"Call me Ishmael."\nSome years ago\n{never mind}', "^3 stored")
    upload(page, "x.txt", "Müller".encode("latin-1"), "no UTF-8 text.* 0 were stored before")


def test_a_lost_answer_stores_nothing_twice(page: Page) -> None:
    """A call that is sent again has the ids of the first one, also where the person gave none."""
    sent: list[str] = []

    def lose_the_first(route: Route) -> None:
        sent.append(route.request.post_data or "")
        if len(sent) == 1:
            route.fetch()
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/v1/documents", lose_the_first)
    upload(page, "x.txt", b"stored once", "^1 stored")
    assert sent[0] == sent[1]
    assert re.fullmatch("[0-9a-f]{32}", json.loads(sent[0])["documents"][0]["id"])


def test_a_file_that_is_dropped_meanwhile_is_left(page: Page) -> None:
    """One upload runs at a time, so that Stop stops what runs."""
    sent: list[str] = []
    page.route("**/v1/documents", lambda route: sent.append(route.request.post_data or ""))  # no answer
    page.evaluate(DROP, "first")
    expect(page.locator("#cancel")).to_be_visible()
    page.evaluate(DROP, "second")
    page.click("#cancel")
    expect(page.locator("#added")).to_have_text("Stopped. 0 were stored before.")
    expect(page.locator("#upload")).to_be_hidden()
    assert [json.loads(each)["documents"][0]["id"] for each in sent] == ["first"]


def test_calls_become_as_small_as_the_quota(page: Page) -> None:
    """A quota of fewer texts than a call has is no end of the upload."""

    def at_most_fifty(route: Route) -> None:
        if len(json.loads(route.request.post_data or "")["documents"]) > 50:
            error = {"message": "more than your quota ever allows", "type": "", "param": None, "code": "over_quota"}
            route.fulfill(status=400, json={"error": error})
        else:
            route.continue_()

    page.route("**/v1/documents", at_most_fifty)
    upload(page, "x.txt", b"\n".join(b"text %d" % n for n in range(70)), "^70 stored")
