"""The one bound on memory: how much may be between the first and the last stage at a time."""

import threading


class Admission:
    """Lets pictures in while their number and their pixels are within bounds; one larger than that goes alone."""

    def __init__(self, items: int, pixels: int):
        self.items, self.pixels = items, pixels
        self._inside: list[int] = []
        self._lifted = False
        self._changed = threading.Condition()

    def enter(self, pixels: int) -> None:
        """Wait until there is room for a picture of so many pixels."""
        with self._changed:
            self._changed.wait_for(lambda: self._fits(pixels))
            self._inside.append(pixels)

    def leave(self, pixels: int) -> None:
        """Make room for others."""
        with self._changed:
            self._inside.remove(pixels)
            self._changed.notify_all()

    def lift(self) -> None:
        """Hold nobody back any longer."""
        with self._changed:
            self._lifted = True
            self._changed.notify_all()

    def _fits(self, pixels: int) -> bool:
        if self._lifted or not self._inside:
            return True
        return len(self._inside) < self.items and sum(self._inside) + pixels <= self.pixels
