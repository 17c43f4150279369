"""Convert pictures to the model's view of them, finite sRGB in [0, 1], and back to their own colours.

Scene-linear light is exposed as a photograph is, its highlights compressed: a model that was trained on photographs
knows neither a plate at −3 EV nor a lamp of 100 times white.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..imaging.canvas import Canvas, opaque
from ..media.colour import LINEAR, SRGB, Encoding, convert, from_linear, to_linear
from ..media.image import Image
from ..media.samples import Floats
from ..tasks import Task

MEAN = 0.2  # of the light in a photograph, 1 being white
USUAL = 95  # percentile: what is brighter does not decide about the exposure
BRIGHT, BRIGHTEST = 99, 99.9  # percentiles
HEADROOM = 4.0  # times white that the bright ones may reach, or the exposure is lowered
MOST = 32.0  # times white that can still be told from white
KNEE = 0.8  # of white, from where highlights are compressed
SAMPLES = 100_000  # pixels that are looked at
LEAST = 1e-12


@dataclass(frozen=True)
class Exposure:
    """Multiply light by `gain`; what then lies between `KNEE` and `peak` is compressed to end at 1."""

    gain: float = 1.0
    peak: float = 1.0

    def show(self, light: Floats) -> Floats:
        """Return what the model sees of linear light (…, 3): sRGB in [0, 1]."""
        y = np.clip(light * np.float32(self.gain), 0, self.peak)
        if self.peak > 1:
            u = np.maximum(y - KNEE, 0) / (self.peak - KNEE)
            y = np.where(y > KNEE, KNEE + (1 - KNEE) * u * (1 + self._bend) / (u + self._bend), y)
        return from_linear(y.astype(np.float32), SRGB)

    def take_back(self, shown: Floats) -> Floats:
        """Return the light that sRGB colours (…, 3), which the model made, stand for in the plate."""
        y = to_linear(shown, SRGB)
        if self.peak > 1:
            t = np.clip((y - KNEE) / (1 - KNEE), 0, 1)
            y = np.where(y > KNEE, KNEE + (self.peak - KNEE) * t * self._bend / (1 + self._bend - t), y)
        return (y / np.float32(self.gain)).astype(np.float32)

    @property
    def _bend(self) -> float:
        """Return what makes the curve leave the straight line at `KNEE` without a corner."""
        return 1 / max((self.peak - KNEE) / (1 - KNEE) - 1, 1e-6)


def is_scene(image: Image) -> bool:
    """Tell whether the colours of a picture are a scene's light, or a log of it, and not what a display shows."""
    return image.encoding.is_log or (image.depth in ("half", "float") and image.encoding.is_linear)


def meter(image: Image) -> Exposure:
    """Choose the exposure of a picture whose colours are a scene's light; that of others is 1."""
    rows = image.rgb.reshape(-1, 3) if image.alpha is None else image.rgb[image.alpha > 0]  # (n, 3)
    rows = rows[:: max(1, len(rows) // SAMPLES)]
    light = np.maximum(convert(rows[np.isfinite(rows).all(-1)], image.encoding, LINEAR), 0)
    largest = light.max(-1) if len(light) else np.zeros(1, np.float32)  # a saturated light is bright, too
    largest = largest[largest > LEAST]
    if not is_scene(image) or not len(largest):
        return Exposure()
    usual, bright, brightest = np.percentile(largest, (USUAL, BRIGHT, BRIGHTEST))
    gain = min(MEAN / float(np.minimum(largest, usual).mean()), HEADROOM / float(bright))
    return Exposure(gain, float(np.clip(brightest * gain, 1, MOST)))


def pushed(exposure: Exposure, stops: float) -> Exposure:
    """Return the exposure with so many stops more; what is brighter by them is compressed to end at 1 as well."""
    more = 2.0**stops
    return Exposure(exposure.gain * more, max(1.0, exposure.peak * more))


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


def exposure_of(source: Image, metered: Exposure | None, stops: float) -> Exposure | None:
    """Return the exposure at which the model sees a picture; None where it sees it as a display does."""
    if not is_scene(source):
        return pushed(Exposure(), stops) if stops else None
    return pushed(metered or meter(source), stops)


def plate_of(image: Image, encoding: Encoding) -> tuple[Tensor, Nonfinite | None]:
    """Return a picture's finite colours (3, H, W) in an encoding, and what they stand for where it has others.

    NaN becomes 0, an infinity the largest or smallest value.
    """
    rgb, nonfinite = convert(image.rgb, image.encoding, encoding), None
    finite = np.isfinite(rgb) if image.depth in ("half", "float") else np.True_
    if not finite.all():
        rows, columns = np.nonzero(~finite.all(-1))  # (n,) each
        there = rgb[finite]
        low, high = (float(there.min()), float(there.max())) if there.size else (0.0, 1.0)
        parts = rows, columns, rgb[rows, columns].T.copy()
        nonfinite = Nonfinite(*(torch.from_numpy(part) for part in parts))
        rgb = np.nan_to_num(rgb, nan=0.0, posinf=high, neginf=low)
    return torch.from_numpy(rgb).permute(2, 0, 1), nonfinite


def view_of(
    source: Image, plate: Tensor, encoding: Encoding, exposure: Exposure | None, alpha: Tensor | None, task: Task,
    canvas: Canvas,
) -> Tensor:  # fmt: skip
    """Return the model's view of a picture, sRGB (4, h, w) on the canvas: a foreground with its alpha.

    A scene is over white where it is transparent. Its light is exposed, its highlights compressed; what is made for a
    display is cut off at its white.
    """
    spreads = exposure is not None or source.depth in ("half", "float")  # a highlight, when it is made smaller
    colour = to_view(plate, encoding, exposure) if spreads else plate
    if alpha is not None and task.inputs[0] in ("foreground", "image"):
        view = canvas.fit(torch.cat((colour, alpha[None])))
    else:
        over_white = colour if alpha is None else torch.lerp(torch.ones_like(colour), colour, alpha)
        view = opaque(canvas.fit(over_white))
    return view if spreads else in_encoding(view, encoding, SRGB).clamp_(0, 1)


def to_view(plate: Tensor, encoding: Encoding, exposure: Exposure | None) -> Tensor:
    """Return a plate (3, H, W) as the model sees it: sRGB in [0, 1]."""
    if exposure is None:
        return in_encoding(plate, encoding, SRGB).clamp(0, 1)
    return _changed(in_encoding(plate, encoding, LINEAR), exposure.show).clamp_(0, 1)


def from_view(rgba: Tensor, encoding: Encoding, exposure: Exposure | None) -> Tensor:
    """Return RGBA (4, h, w) that the model made, in sRGB, encoded and exposed as the plate."""
    if exposure is None:
        return in_encoding(rgba, SRGB, encoding)
    return in_encoding(_changed(rgba, exposure.take_back), LINEAR, encoding)


def in_encoding(rgba: Tensor, source: Encoding, target: Encoding) -> Tensor:
    """Return RGBA, or colours alone, (C, h, w) in another encoding; equal encodings change nothing."""
    return rgba if source == target else _changed(rgba, lambda colours: convert(colours, source, target))


def _changed(rgba: Tensor, change: Callable[[Floats], Floats]) -> Tensor:
    """Return RGBA, or colours alone, (C, h, w), the colours (h, w, 3) changed."""
    colours = torch.from_numpy(change(rgba[:3].permute(1, 2, 0).contiguous().numpy())).permute(2, 0, 1).to(rgba)
    return colours if len(rgba) == 3 else torch.cat((colours, rgba[3:]))
