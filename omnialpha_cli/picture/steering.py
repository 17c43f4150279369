"""Read what steers the matte of a picture: its hint, the mattes that bound it, and the matte of the frame before."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from ..imaging.canvas import resample, within
from ..imaging.hint import BACKGROUND, grow_round, hint_values, same_shape
from ..imaging.matte.finish import Steering
from ..imaging.matte.motion import SIDES, Carried, as_drawn, carry
from ..media.channels import listed
from ..media.colour import Encoding
from ..media.image import Image, align
from ..status import ItemError
from ..tasks import Task
from .settings import BOUNDS, Settings
from .view import Exposure, plate_of, to_view

SLACK = 0.02  # of the width: how far out of a mask there may be something
SHARE = 0.8  # of a frame's matte that comes from the frame before, where it has a hint of its own, or needs none


def steering_of(
    task: Task, source: Image, hint: Tensor | None, beside: Mapping[str, Image], carried: Carried | None,
    settings: Settings,
) -> Steering:  # fmt: skip
    """Return what steers the matte of a picture: its mask `hint` (H, W), and what is given `beside` it.

    The hint may be `carried` from the frame before. Raises ItemError `hint` for a matte of another shape.
    """
    values = {name: read_hint(beside[name], source) for name in BOUNDS if name in beside}
    most = 1 - values["hold-out"] if "hold-out" in values else None
    slack = settings.mask_slack
    if slack is None and (task.hint == "mask" or (task.hint == "rough-mask" and carried is not None)):
        slack = round(SLACK * source.size[1])
    if hint is not None and task.hint in ("mask", "rough-mask") and slack is not None:
        near = grow_round(hint >= BACKGROUND, slack).to(hint)
        most = near if most is None else torch.minimum(most, near)
    known = () if carried is None else (carried,)
    if carried is not None and hint is not carried.alpha:
        known = (replace(carried, trust=SHARE * carried.trust),)
    if settings.steady and task.hint == "mask" and hint is not None:
        known = *known, as_drawn(hint)
    return Steering(hint if task.hint == "trimap" else None, values.get("core"), most, known)


def carried_from(
    beside: Mapping[str, Image], source: Image, plate: Tensor, encoding: Encoding, exposure: Exposure | None
) -> Carried | None:
    """Return what the frame before gives a frame with a `plate` (3, H, W) encoded so; None where it gives nothing."""
    carried = None
    for prefix in ("", "start "):
        if f"{prefix}frame" not in beside or (prefix and carried is None):
            return carried
        frame, result = (align(beside[prefix + name], source) for name in ("frame", "matte"))
        if frame.size != source.size or result.size != source.size:
            return carried
        size = within(*source.size, SIDES[-1])
        plates = (plate_of(frame, encoding)[0], plate)
        before, now = (to_view(resample(one, *size), encoding, exposure) for one in plates)
        alpha = torch.from_numpy(result.rgb[..., 0] if result.alpha is None else result.alpha)  # grey: --alpha-only
        if carried is None:
            carried = carry(before, now, alpha)
        elif start := carry(before, now, alpha, carried.alpha):
            carried = carried.from_start(start)
    return carried


def aligned(hint: Image, source: Image) -> Image:
    """Return a hint on the data window of its picture. Raises ItemError `hint` where it has other proportions."""
    hint = align(hint, source)
    if not same_shape(hint.size, source.size):
        sizes = [f"{image.path} is {image.size[1]}×{image.size[0]}" for image in (hint, source)]
        wanted = f"scale it or crop it to {source.size[1]}×{source.size[0]}, or leave the picture out"
        raise ItemError("hint", f"{', '.join(sizes)}: a hint has to have its picture's proportions; {wanted}")
    return hint


def read_hint(hint: Image, source: Image) -> Tensor:
    """Return the values (H, W) of a trimap or mask at the size of its picture."""
    hint = aligned(hint, source)
    alpha = None if hint.alpha is None else torch.from_numpy(hint.alpha)
    values = hint_values(torch.from_numpy(hint.rgb).nan_to_num().permute(2, 0, 1), alpha)
    return resample(values, *source.size)


def blank_hint(image: Image, hint: Tensor, task: Task) -> Iterator[str]:
    """Say where a hint (H, W) is white everywhere, or black, and where its values may be."""
    if task.command == "remove" and (hint >= BACKGROUND).all():
        yield f"{image.path} is nowhere black: all was removed. White is the object"
    if (hint < BACKGROUND).all():
        result = "removed" if task.command == "remove" else "found"
        others = f"; {_left_out(image)}" if image.left_out else ""
        yield f"{image.path} is black: nothing was {result}. White is the object{others}"


def blank_bounds(beside: Mapping[str, Image], source: Image) -> Iterator[str]:
    """Say where a matte that bounds is black, and has channels that may be meant; without them it may well be black."""
    for name in BOUNDS:
        if (image := beside.get(name)) and image.left_out and (read_hint(image, source) < BACKGROUND).all():
            yield f"{image.path} is black, so --{name} changed nothing; {_left_out(image)}"


def _left_out(image: Image) -> str:
    return f"it has other channels, {listed(image.left_out)}: choose with --hint-layer"
