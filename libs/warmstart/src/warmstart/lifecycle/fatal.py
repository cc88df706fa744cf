"""Errors for which waiting can't help."""

from warmstart.errors import ServiceError


class Fatal(Exception):
    """An opener raises this when waiting can't help: a missing model, altered weights, a bad setting."""


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


def is_hopeless(error: BaseException) -> bool:
    """Whether the next attempt would fail in the same way."""
    if isinstance(error, BaseExceptionGroup):
        return any(map(is_hopeless, error.exceptions))
    return isinstance(error, HOPELESS)


def needs_traceback(error: BaseException) -> bool:
    """Whether the error's text alone is not enough: it was neither raised to be read, nor is it a missing answer."""
    if isinstance(error, BaseExceptionGroup):
        return any(map(needs_traceback, error.exceptions))
    if isinstance(error, ServiceError):
        return False
    cause = error.__cause__ or error.__context__
    if isinstance(error, Fatal):
        if error.__suppress_context__ and error.__cause__ is None:  # raised `from None`: it says all
            return False
        return cause is not None and not isinstance(cause, OSError) and needs_traceback(cause)
    if isinstance(error, OSError):
        return error.filename is not None
    return is_hopeless(error) or cause is None or needs_traceback(cause)
