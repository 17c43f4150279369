"""Helpers for tests that train: a report that remembers, and a few steps of an objective."""

from typing import Any

import torch

from omnialpha_cli.lab.train.loop import Objective


class RecordedReport:
    """What a training said, and the steps that it counted."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.steps: list[tuple[str, int, int]] = []

    def say(self, message: str) -> None:
        self.lines.append(message)

    def progress(self, name: str, done: int, total: int) -> None:
        self.steps.append((name, done, total))


def learn(network: torch.nn.Module, objective: Objective, batch: Any, steps: int) -> dict[str, float]:
    """Fit a network to one batch; the figures of the last step."""
    optimiser = torch.optim.Adam(network.parameters(), 2e-3)
    for _ in range(steps):
        value, figures = objective.loss(network, batch, 0)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
    return figures
