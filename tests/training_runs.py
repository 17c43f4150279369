"""Helpers for tests that train: a report that remembers."""


class Told:
    """What a training said, and the steps that it counted."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.steps: list[tuple[str, int, int]] = []

    def say(self, message: str) -> None:
        self.lines.append(message)

    def progress(self, name: str, done: int, total: int) -> None:
        self.steps.append((name, done, total))
