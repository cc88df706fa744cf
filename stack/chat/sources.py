"""What is said to a prompt: the first sentences of its sources, with their numbers.

The sources stand at the beginning of the user's last message, as the api writes them (`api.chat.prompt`).
"""

import re
from collections.abc import Sequence

SOURCES = re.compile(r"<sources>\n(.*?)\n</sources>", re.DOTALL)
SOURCE = re.compile(r'<source number="(\d{1,4})">\n(.*?)\n</source>', re.DOTALL)
SENTENCE = re.compile(r".+?[.!?](?=\s|$)")
QUOTED = 3  # sources
LONGEST = 200  # characters of a quotation
NO_SOURCES = "No sources were given, so there is nothing to echo."
EPILOGUE = "(Echoed from the sources: no language model answers here.)"


def answer(question: str) -> str:
    """The answer to the user's last message."""
    if not (found := sources(question)):
        return f"{NO_SOURCES} {EPILOGUE}"
    quotations = (f'"{first_sentence(text)}" [{number}]' for number, text in found[:QUOTED])
    return f"The sources say: {' '.join(quotations)} {EPILOGUE}"


def sources(question: str) -> Sequence[tuple[str, str]]:
    """Number and text of each source; none where the message doesn't begin with them."""
    found = SOURCES.match(question)
    return SOURCE.findall(found[1]) if found else ()


def first_sentence(text: str) -> str:
    """The first line up to its first full stop, or cut off."""
    line = text.strip().partition("\n")[0].strip()
    found = SENTENCE.match(line)
    sentence = found[0] if found else line
    return sentence if len(sentence) <= LONGEST else f"{sentence[:LONGEST].rstrip()}…"
