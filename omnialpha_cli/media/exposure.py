"""Expose scene-linear light for the model as a photograph is, its highlights compressed, and back.

A model that was trained on photographs knows neither a plate at −3 EV nor a lamp of 100 times white.
"""

from dataclasses import dataclass

import numpy as np

from .colour import LINEAR, SRGB, Encoding, convert, from_linear, to_linear
from .image import Image
from .samples import Floats

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


def shown(rgb: Floats, encoding: Encoding, exposure: Exposure | None) -> Floats:
    """Return what the model sees of colours (…, 3) of an encoding, in sRGB; without an exposure as they are."""
    return convert(rgb, encoding, SRGB) if exposure is None else exposure.show(convert(rgb, encoding, LINEAR))


def taken_back(colours: Floats, encoding: Encoding, exposure: Exposure | None) -> Floats:
    """Return colours (…, 3) that the model made, in sRGB, in the encoding of the plate."""
    if exposure is None:
        return convert(colours, SRGB, encoding)
    return convert(exposure.take_back(colours), LINEAR, encoding)
