"""Convert pictures to the model's view of them, sRGB in [0, 1], and back to their own colours."""

import torch
from torch import Tensor

from ..imaging.canvas import Canvas
from ..imaging.composite import opaque
from ..media.colour import SRGB, Encoding, convert
from ..media.exposure import Exposure, is_scene, meter, pushed, shown, taken_back
from ..media.image import Image
from ..tasks import Task
from .nonfinite import Nonfinite, split_nonfinite


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
