"""Matting, judged against known mattes: the mean squared error of alpha at full size, and pictures of the worst."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import mean, median

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..imaging.canvas import resample
from ..imaging.composite import checkerboard, opaque, over
from ..training.packs import Picture

Matte = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]  # RGB (H, W, 3) → RGBA (H, W, 4)
TILE = 240  # pixels a side in the picture of the worst


@dataclass(frozen=True, eq=False)
class Score:
    """One photograph: `mse` of alpha in [0, 1], over all its pixels; `alpha` is the predicted one (H, W)."""

    picture: Picture
    alpha: NDArray[np.uint8]
    mse: float


def score(pictures: Sequence[Picture], matte: Matte) -> Iterator[Score]:
    """Judge one photograph after another."""
    for picture in pictures:
        alpha = matte(picture.rgba[..., :3])[..., 3]
        error = (alpha.astype(np.float32) - picture.rgba[..., 3]) / 255
        yield Score(picture, alpha, float(np.square(error).mean()))


def summary(scores: Sequence[Score]) -> dict[str, float]:
    """Mean and median of the squared errors, and what an empty matte would get."""
    errors = [s.mse for s in scores]
    empty = [float(np.square(s.picture.rgba[..., 3] / 255).mean()) for s in scores]
    return {"count": len(scores), "mean": mean(errors), "median": median(errors), "all_zero": mean(empty)}


def worst(scores: Sequence[Score], count: int) -> NDArray[np.float32]:
    """The `count` worst, one a row: photograph, known matte, predicted matte, cut-out over a checkerboard.

    An opaque RGBA picture (count · TILE, 4 · TILE, 4) in [0, 1].
    """
    rows = []
    for s in sorted(scores, key=lambda s: -s.mse)[:count]:
        rgb = torch.from_numpy(s.picture.rgba[..., :3].copy()).permute(2, 0, 1).float() / 255
        known, found = (torch.from_numpy(a.copy())[None].float() / 255 for a in (s.picture.rgba[..., 3], s.alpha))
        cut = over(torch.cat((rgb, found)), checkerboard(*rgb.shape[1:]))
        rows.append(torch.cat([_tile(x) for x in (rgb, known, found, cut)], dim=2))
    sheet = torch.cat(rows, dim=1)  # (3, count · TILE, 4 · TILE)
    return opaque(sheet).permute(1, 2, 0).contiguous().numpy()


def _tile(image: Tensor) -> Tensor:
    """(1 or 3, H, W) → (3, TILE, TILE), its proportions kept, on grey."""
    _, h, w = image.shape
    scale = TILE / max(h, w)
    small = resample(image.expand(3, -1, -1), max(1, round(h * scale)), max(1, round(w * scale)))
    tile = torch.full((3, TILE, TILE), 0.5)
    tile[:, : small.shape[1], : small.shape[2]] = small
    return tile
