"""The error that no retry can mend. Apart from the rest: who raises it need not import the web framework."""


class Fatal(Exception):
    """What an opener raises when waiting cannot help: a missing model, altered weights, a bad setting."""
