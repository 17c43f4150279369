"""Compare whole sets of pictures by one or more networks: results and what they ought to look like."""

from collections.abc import Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from .frechet import PictureSet

Array = NDArray[Any]
MANY = 2048  # pictures: fewer do not fill the space of FID's features


class FeatureNetwork(Protocol):
    """Compute features (K, D) of pictures (K, H, W, 3) in [0, 1]; `metric` names their Fréchet distance, if any."""

    @property
    def metric(self) -> str | None:
        """Return the name of the Fréchet distance in `scores.METRICS`, None without one."""

    def __call__(self, pictures: Array) -> Array:
        """Return the features."""


class Sets:
    """Hold the features of results and truths, by each network."""

    def __init__(self, networks: Sequence[FeatureNetwork]):
        self.networks = networks
        self.found, self.known = ([PictureSet(network) for network in networks] for _ in range(2))

    def add_found(self, rgba: Array) -> Array:
        """Add a result (H, W, 4); returns what the first network sees of it, (9, D)."""
        first, *_ = [one.add(rgba) for one in self.found]
        return first

    def add_known(self, rgba: Array) -> Array:
        """Add a truth, likewise."""
        first, *_ = [one.add(rgba) for one in self.known]
        return first

    @property
    def counts(self) -> tuple[int, int]:
        """Return the numbers of results and of truths."""
        return len(self.found[0]), len(self.known[0])

    def totals(self) -> dict[str, float]:
        """Return the Fréchet distances by the names of their metrics; none where a set has fewer than two pictures."""
        pairs = zip(self.networks, self.found, self.known, strict=True)
        distances = {network.metric: found.distance(known) for network, found, known in pairs if network.metric}
        return {metric: value for metric, value in distances.items() if value is not None}
