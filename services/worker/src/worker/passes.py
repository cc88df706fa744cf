"""How the texts of a batch are divided into forward passes."""

from collections.abc import Iterable, Iterator, Sequence

from worker.engines.padding import next_length
from worker.jobs import Item

# The fixed cost of a pass, in tokens, on 2 cores: 3.5 ms with torch, 0.9 with OpenVINO, which computes as much faster.
# More padding is dearer than another pass.
PADDING = 40


def passes(items: Iterable[Item], lengths: Sequence[int] = ()) -> Iterator[list[Item]]:
    """Texts of about equal length together: a pass pads each to its longest, or to the engine's next of `lengths`."""
    batch: list[Item] = []
    tokens = 0
    for item in sorted(items, key=lambda item: len(item.ids)):
        size = next_length(len(item.ids), lengths)
        if len(batch) * size - tokens > PADDING:
            yield batch
            batch, tokens = [], 0
        batch.append(item)
        tokens += size
    if batch:
        yield batch
