"""The errors of this package."""


class StackError(Exception):
    """The stack can't do what was asked: the message says why and what to do about it."""


class ImagesError(StackError):
    """The images of the compose stack can't be built or pulled; nothing was started or stopped."""


class NoAnswerError(StackError):
    """A docker command took longer than it may."""
