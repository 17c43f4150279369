"""Measure how well a matte comes from the canvas to full size: known hair, reduced as a perfect model would give it."""

import time
from dataclasses import dataclass

import torch

from ...imaging.canvas import choose_canvas
from ...imaging.matte.finish import METHODS, refine_alpha
from .scenes import hair_scene

UNKNOWN = 0.01  # a pixel is in the unknown band where bilinear alpha is farther than this from 0 and 1


@dataclass(frozen=True)
class Trial:
    """Hold one way to full size: mean absolute (`mad`) and mean squared (`mse`) error of alpha in the unknown band."""

    refine: str
    mad: float
    mse: float
    seconds: float


@torch.inference_mode()
def measure(height: int, width: int, side: int = 256) -> list[Trial]:
    """Try every way, plain bilinear (`none`) first, on a scene of that size and a canvas of `side`²."""
    scene = hair_scene(height, width)
    canvas = choose_canvas(height, width, side)
    truth = scene.foreground[3]  # (H, W)
    matte = canvas.fit(truth)  # (h, w): antialiased, so each pixel is the mean of what it covers
    bilinear = canvas.restore(matte)
    unknown = (bilinear > UNKNOWN) & (bilinear < 1 - UNKNOWN)
    trials = []
    for method in sorted(METHODS, key=lambda name: name != "none"):
        refine_alpha(matte[:64, :64], scene.plate[:, :64, :64], choose_canvas(64, 64, 64), method)  # warms up
        begun = time.perf_counter()
        alpha = refine_alpha(matte, scene.plate, canvas, method)
        seconds = time.perf_counter() - begun
        error = (alpha - truth)[unknown]
        trials.append(Trial(method, error.abs().mean().item(), error.square().mean().item(), seconds))
    return trials
