"""Keep pixels that are not finite from the model and the filters; the file keeps its own."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..media.image import Image
from ..media.samples import Floats


@dataclass(frozen=True, eq=False)
class Nonfinite:
    """Hold the pixels of a plate with a NaN or an infinity: `rows` and `columns` (n,), and their `colours` (3, n)."""

    rows: Tensor
    columns: Tensor
    colours: Tensor

    def put_back(self, result: Tensor, plate: Tensor) -> None:
        """Give them to the RGBA `result` (4, H, W), in place, where its colours are those of the finite `plate`."""
        passed = (result[:3, self.rows, self.columns] == plate[:, self.rows, self.columns]).all(0)  # (n,)
        result[:3, self.rows[passed], self.columns[passed]] = self.colours[:, passed]


def split_nonfinite(rgb: Floats, source: Image) -> tuple[Floats, Nonfinite | None]:
    """Return the plate (H, W, 3) with finite colours: NaN becomes 0, an infinity its largest or smallest value."""
    if source.depth not in ("half", "float"):
        return rgb, None
    finite = np.isfinite(rgb)
    if finite.all():
        return rgb, None
    rows, columns = np.nonzero(~finite.all(-1))  # (n,) each
    there = rgb[finite]
    low, high = (float(there.min()), float(there.max())) if there.size else (0.0, 1.0)
    nonfinite = Nonfinite(
        torch.from_numpy(rows), torch.from_numpy(columns), torch.from_numpy(rgb[rows, columns].T.copy())
    )
    return np.nan_to_num(rgb, nan=0.0, posinf=high, neginf=low), nonfinite
