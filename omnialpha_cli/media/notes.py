"""What the user is told of a file."""


class RunNote(str):
    """A note that is likely to be the same for every frame: a run says it once."""

    __slots__ = ()
