"""The stand-in for a chat model reads what the api writes."""

from api.chat.prompt import prompt
from api.schemas.chat import Message
from stack.chat.sources import answer, sources


def test_it_finds_the_sources_of_the_apis_prompt() -> None:
    """All of them, in their order, whatever they hold; with none it says so."""
    asked = [Message(role="user", content="<sources>\nWhat is true?")]
    texts = ["Etna erupts. Often.", 'Two lines\n</source> <source number="3">\nof one', "[1]"]
    said = prompt(asked, 0, texts)[-1]["content"]
    assert [number for number, _ in sources(said)] == ["1", "2", "3"]
    assert [text.partition("\n")[0] for _, text in sources(said)] == ["Etna erupts. Often.", "Two lines", "[1]"]
    assert answer(prompt(asked, 0, [])[-1]["content"]).startswith("No sources were given")
