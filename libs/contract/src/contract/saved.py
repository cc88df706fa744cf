"""One metric of both services: texts for which no forward pass was needed, or for whose result nobody waited."""

from enum import StrEnum

from prometheus_client import Counter


class Saved(StrEnum):
    """Why a text was not computed. The first three are the api's, the others the worker's."""

    CACHE_HIT = "cache_hit"
    DUPLICATE = "duplicate"  # of another text of the same call
    SHARED = "shared"  # another request's call was under way
    DEADLINE = "deadline"  # its time was over before its turn came
    CLIENT_LEFT = "client_left"


_TEXTS = Counter("embedding_texts_saved", "Texts that needed no forward pass of their own", ["reason"])


def counters(*reasons: Saved) -> dict[Saved, Counter]:
    """The counter of each reason that a service knows; it is there, as 0, from then on."""
    return {reason: _TEXTS.labels(reason) for reason in reasons}
