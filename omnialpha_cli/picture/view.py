"""Convert pictures to the model's view of them, finite sRGB in [0, 1], and back to their own colours."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..imaging.canvas import Canvas
from ..imaging.composite import opaque
from ..media.colour import SRGB, Encoding, convert
from ..media.exposure import Exposure, is_scene, meter, pushed, shown, taken_back
from ..media.image import Image
from ..media.samples import Floats
from ..tasks import Task


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


def exposure_of(source: Image, metered: Exposure | None, stops: float) -> Exposure | None:
    """Return the exposure at which the model sees a picture; None where it sees it as a display does."""
    if not is_scene(source):
        return pushed(Exposure(), stops) if stops else None
    return pushed(metered or meter(source), stops)


def plate_of(image: Image, encoding: Encoding) -> tuple[Tensor, Nonfinite | None]:
    """Return a picture's finite colours (3, H, W) in an encoding, and what they stand for where it has others."""
    rgb, nonfinite = split_nonfinite(convert(image.rgb, image.encoding, encoding), image)
    return torch.from_numpy(rgb).permute(2, 0, 1), nonfinite


def view_of(
    source: Image,
    plate: Tensor,
    encoding: Encoding,
    exposure: Exposure | None,
    alpha: Tensor | None,
    task: Task,
    canvas: Canvas,
) -> Tensor:
    """Return the model's view of a picture, sRGB (4, h, w) on the canvas: a scene over white where it is transparent.

    A scene's light is exposed, its highlights compressed; what is made for a display is cut off at its white.
    """
    if exposure is not None or source.depth in ("half", "float"):  # before highlights spread when it is made smaller
        return canvas.fit(_visible(to_view(plate, encoding, exposure), alpha, task))
    view = canvas.fit(_visible(plate, alpha, task))
    return in_encoding(view, encoding, SRGB).clamp_(0, 1)


def to_view(plate: Tensor, encoding: Encoding, exposure: Exposure | None) -> Tensor:
    """Return a plate (3, H, W) as the model sees it: sRGB in [0, 1]."""
    colours = shown(plate.permute(1, 2, 0).contiguous().numpy(), encoding, exposure)  # (H, W, 3)
    return torch.from_numpy(colours).permute(2, 0, 1).clamp(0, 1)


def from_view(rgba: Tensor, encoding: Encoding, exposure: Exposure | None) -> Tensor:
    """Return RGBA (4, h, w) that the model made, in sRGB, encoded and exposed as the plate."""
    if exposure is None:
        return in_encoding(rgba, SRGB, encoding)
    colours = taken_back(rgba[:3].permute(1, 2, 0).contiguous().numpy(), encoding, exposure)  # (h, w, 3)
    return torch.cat((torch.from_numpy(colours).permute(2, 0, 1).to(rgba), rgba[3:]))


def in_encoding(rgba: Tensor, source: Encoding, target: Encoding) -> Tensor:
    """Return RGBA, or colours alone, (C, h, w) in another encoding; equal encodings change nothing."""
    if source == target:
        return rgba
    colours = convert(rgba[:3].permute(1, 2, 0).contiguous().numpy(), source, target)  # (h, w, 3)
    return torch.cat((torch.from_numpy(colours).permute(2, 0, 1).to(rgba), rgba[3:]))


def _visible(colour: Tensor, alpha: Tensor | None, task: Task) -> Tensor:
    """Return straight RGBA (4, H, W) of colour (3, H, W): a foreground with its alpha, a scene over white."""
    if alpha is None:
        return opaque(colour)
    if task.inputs[0] in ("foreground", "image"):
        return torch.cat((colour, alpha[None]))
    return opaque(torch.lerp(torch.ones_like(colour), colour, alpha))
