"""Load on a running api: `make loadtest`, `make loadtest-ui`, or `locust -f loadtest/locustfile.py --host URL`.

Closed-loop users, and with `--open-rate` requests that leave at their time whatever the answers do. Exit code: 0,
1 for a broken threshold or a run that went wrong, 2 for one that is invalid because its generator fell behind.
"""

import sys
from pathlib import Path

from locust import task

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # locust's own command adds this folder only

from loadtest import checks
from loadtest.load import session
from loadtest.load.users import NUMBERS, CheckedUser
from loadtest.openloop import makers

session.install()


class EmbeddingsUser(CheckedUser):
    """Asks for vectors: of fresh texts of all lengths, and of texts that everybody asks for."""

    weight = 3
    identity = checks.Identity()  # shared by all users: the same text has the same vector for each

    @task(4)
    def fresh_sentence(self) -> None:
        """The usual case of a cache miss."""
        self.call("embeddings: fresh sentence", makers.api_fresh(self.draw, next(NUMBERS)))

    @task(2)
    def fresh_words(self) -> None:
        """Short, as queries are."""
        self.call("embeddings: fresh 3 words", makers.api_short(self.draw, next(NUMBERS)))

    @task(1)
    def fresh_long(self) -> None:
        """As long as the model reads."""
        self.call("embeddings: fresh 256 tokens", makers.api_long(self.draw, next(NUMBERS)))

    @task(1)
    def fresh_batch(self) -> None:
        """Several texts in one call."""
        self.call("embeddings: fresh batch of 8", makers.api_batch(self.draw, next(NUMBERS)))

    @task(4)
    def repeated(self) -> None:
        """A text that the cache has, except for the first time; its vector is always the same."""
        text = self.draw.choice(makers.repeated_texts())
        request = makers.api_embeddings(text)
        self.call("embeddings: repeated", request, check=checks.embeddings([text], self.identity))


class SearchUser(CheckedUser):
    """Stores documents and searches for them."""

    weight = 1

    @task(1)
    def store(self) -> None:
        """One document, over one of 1,000."""
        self.call("documents: store", makers.document(self.draw, next(NUMBERS)))

    @task(3)
    def search(self) -> None:
        """A fresh query."""
        self.call("search: fresh query", makers.search(self.draw, next(NUMBERS)))

    @task(1)
    def find_again(self) -> None:
        """A document is the best answer to its own words. No other user writes this document."""
        number = next(NUMBERS)
        text = f"{self.draw.choice(makers.repeated_texts())} {number}"
        self.call("documents: store", makers.store(f"load-own-{id(self)}", text))
        self.call("search: own words", makers.search_for(text), check=checks.best_is(f"load-own-{id(self)}"))
