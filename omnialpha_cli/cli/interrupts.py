"""Handle Ctrl-C and SIGTERM: the first one asks the run to finish the batch in hand, the second one ends it at once."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from ..status import ExitStatus

SIGNALS = {signal.SIGINT: ExitStatus.INTERRUPTED, signal.SIGTERM: ExitStatus.TERMINATED}


class Stop:
    """Hold `event`, set when the run should stop, and `status`, the exit status if a signal asked for it."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.status: ExitStatus | None = None


@contextmanager
def interrupts(notice: Callable[[], object]) -> Iterator[Stop]:
    """Handle the signals within the block; `notice` is called at the first one."""
    stop = Stop()

    def handle(number: int, frame: FrameType | None) -> None:
        status = SIGNALS[signal.Signals(number)]
        if stop.status is not None:
            # Threads may be deep in native code, which a normal exit would wait for.
            if sys.stderr.isatty():
                os.write(2, b"\x1b[?25h\n")  # the progress bar had hidden the cursor
            os._exit(status)
        stop.status = status
        stop.event.set()
        notice()

    previous = {number: signal.signal(number, handle) for number in SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
