"""Errors that no waiting can mend."""


class Fatal(Exception):
    """What an opener raises when waiting cannot help: a missing model, altered weights, a bad setting."""


# A programming error is the same at the next attempt.
HOPELESS: tuple[type[Exception], ...] = (
    Fatal,
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    NameError,
    NotImplementedError,
    SyntaxError,
    TypeError,
)


def speaks_for_itself(error: BaseException) -> bool:
    """Whether its text alone says what is wrong: it was raised to be read, or a peer did not answer."""
    while not isinstance(error, Fatal | OSError):
        if not (error := error.__cause__ or error.__context__):  # type: ignore[assignment] # None ends it
            return False
    return isinstance(error, Fatal) or getattr(error, "filename", None) is None
