"""How an answer of a vault, or none, is judged: `Fatal` where waiting can't help, `Away` where it may."""


class Away(Exception):
    """The vault gave no usable answer. `retry_after` are the seconds that it asks for."""

    def __init__(self, message: str, retry_after: float = 0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


def line(text: object) -> str:
    """The beginning of the first line of what a client library says."""
    lines = str(text).strip().splitlines()
    return lines[0][:300] if lines else ""


def seconds(text: object) -> float:
    """A `Retry-After` in seconds; 0 for none, and for a date."""
    return float(text) if isinstance(text, str) and text.isdecimal() and len(text) < 6 else 0
