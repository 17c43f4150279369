"""Define exit codes and the exceptions that carry them. Code below `cli/` raises; only `cli/` prints and exits."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import Self


class ExitStatus(IntEnum):
    """List what the exit code of `omnialpha` tells a script."""

    OK = 0  # everything done or skipped
    FAILED = 1  # some items failed, or the disk is full
    USAGE = 2  # usage, a clash of names, a refusal
    NO_INPUTS = 3  # no inputs matched
    WEIGHTS = 4  # weights missing, or not as locked
    DEVICE = 5  # device or memory, when no item could run
    DOUBTFUL = 6  # done, but some results below --min-confidence
    INTERRUPTED = 130
    TERMINATED = 143


class OmniAlphaError(Exception):
    """End the run. The message is one line: what is wrong, with what, and what to do about it."""

    status = ExitStatus.FAILED


class OmniAlphaWarning(UserWarning):
    """Warn of a picture, a hint or the weights, as a user of the Python interface should know."""


class UsageError(OmniAlphaError):
    """Report a wrong option, a clash of output names, or a refusal, found before any work."""

    status = ExitStatus.USAGE


class NoInputsError(OmniAlphaError):
    """Report that no input file matched."""

    status = ExitStatus.NO_INPUTS


class WeightsError(OmniAlphaError):
    """Report that weights are missing, or are not the ones that weights.lock describes."""

    status = ExitStatus.WEIGHTS


class DeviceError(OmniAlphaError):
    """Report that the device is absent, or has too little memory for a single item."""

    status = ExitStatus.DEVICE


class ItemError(OmniAlphaError):
    """Report that one item cannot be done; the others go on.

    `code` is a stable word for machines: `unreadable`, `unsupported`, `too-small`, `too-large`, `missing`,
    `write`, `memory`, `hint`, `nonfinite`, `worker`, `internal`.
    """

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code

    def __reduce__(self) -> tuple[type[Self], tuple[str, str]]:
        """Tell how it travels between processes."""
        return type(self), (self.code, str(self))


@contextmanager
def rewording(reword: Callable[[str], str]) -> Iterator[None]:
    """Say the errors of the block in the words of who asked."""
    try:
        yield
    except OmniAlphaError as error:
        error.args = tuple(reword(str(argument)) for argument in error.args)
        raise


class RunNote(str):
    """Note what is likely to be true of every frame: a run says it once."""

    __slots__ = ()
