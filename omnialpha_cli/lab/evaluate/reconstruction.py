"""Judge a picture with alpha that went through a VAE by itself."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import metrics
from .backgrounds import COLOURS, composites
from .judge import Distance, Judged
from .panels import difference, panel

Array = NDArray[Any]


def judge_reconstruction(name: str, found: Array, known: Array, distance: Distance | None = None) -> Judged:
    """Judge straight RGBA (H, W, 4) by what it was made from: over flat backgrounds, and colour and alpha alone.

    Over the nine backgrounds each measure is the mean of the nine. Colours alone count as much as they cover.
    """
    alpha, known_alpha = found[..., 3], known[..., 3]
    covered = float(known_alpha.sum(dtype=np.float64)) * 3
    squares = float((np.square(found[..., :3] - known[..., :3]) * known_alpha[..., None]).sum(dtype=np.float64))
    scores = _over_backgrounds(found, known, distance)
    scores |= {
        "psnr_colour": metrics.decibels(squares / covered if covered else 0.0),
        "psnr_alpha": metrics.psnr(alpha, known_alpha),
        "mad_alpha": metrics.mad(alpha, known_alpha),
    }
    grey = (composites(picture)[0] for picture in (found, known))
    panels = {
        "source": panel(known),
        "result": panel(found),
        "alpha": panel(alpha),
        "known alpha": panel(known_alpha),
        "difference over grey": difference(*grey),
        "difference of alpha": difference(alpha, known_alpha),
    }
    return Judged(name, known.shape[:2], scores, panels)


def _over_backgrounds(found: Array, known: Array, distance: Distance | None) -> dict[str, float]:
    ours, theirs = composites(found), composites(known)
    count = max(len(ours), len(theirs))  # 1 if both are opaque
    pairs = list(zip(*(np.broadcast_to(one, (count, *one.shape[1:])) for one in (ours, theirs)), strict=True))
    scores = {
        "psnr_composite": _mean(metrics.psnr(*pair) for pair in pairs),
        "ssim_composite": _ssim(found, known) if count > 1 else metrics.ssim(*pairs[0]),
        "l1_composite": _mean(metrics.mad(*pair) for pair in pairs),
    }
    if distance is not None:
        scores[f"{distance.metric}_composite"] = _mean(distance(*pair) for pair in pairs)
    return scores


def _ssim(found: Array, known: Array) -> float:
    """Return the mean over the backgrounds. A channel has few values in all of them, so each is computed once."""
    total = 0.0
    for channel in range(3):
        values = [colour[channel] for colour in COLOURS.values()]
        for value in set(values):
            ours, theirs = (one[..., 3:] * one[..., channel : channel + 1] + (1 - one[..., 3:]) * np.float32(value)
                            for one in (found, known))  # fmt: skip
            total += values.count(value) * metrics.ssim(ours, theirs)
    return total / (3 * len(COLOURS))


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))
