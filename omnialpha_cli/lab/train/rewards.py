"""Reward made layers by true ones, on decoded RGBA, and weigh rewards within a group (paper §3.4).

Four terms, each at most 1: `layer` and `comp`, the mean of SSIM and of PSNR over 50 dB, of every layer on black and on
white, and of the composite against the scene; `bg`, 1 − LPIPS of the background; `fg`, 1 − the error of the
foreground's alpha, weighted where that is soft. A task uses those that its layers have.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from ...imaging.composite import over
from ...tasks import Task
from ..ssim import gaussian, ssim_map
from .examples import Example
from .perceptual import Distance

TERMS = ("layer", "comp", "bg", "fg")
USED = {  # by command
    "matte": (True, False, False, True),
    "remove": (True, False, True, False),
    "decompose": (True, True, True, True),
}
BACKGROUNDS = (0.0, 1.0)
MAX_PSNR = 50.0
SOFT = (0.05, 0.95)  # alpha in between is an edge
BAND = 10  # pixels by which the edge's weight is blurred


def used(task: Task) -> tuple[bool, ...]:
    """Tell which terms a task has. Raises ValueError where there is no one truth to compare with."""
    if task.command not in USED:
        raise ValueError(f"{task.name} has no rewards: many pictures answer it")
    return USED[task.command]


def score(example: Example, layers: Sequence[Tensor], distance: Distance) -> Tensor:
    """Return the terms (4,) of made layers, RGBA (4, H, W) in [0, 1] in the order of the targets; 0 where not used."""
    wanted = used(example.task)
    truths = [t.to(layer) for t, layer in zip(example.targets, layers, strict=True)]
    value = layers[0].new_zeros(len(TERMS))
    value[0] = torch.stack([_layer(a, b) for a, b in zip(layers, truths, strict=True)]).mean()
    for role, made, true in zip(example.task.outputs, layers, truths, strict=True):
        if role == "background" and wanted[2]:
            value[2] = 1 - distance(made[None, :3] * 2 - 1, true[None, :3] * 2 - 1)[0]
        if role == "foreground" and wanted[3]:
            value[3] = 1 - alpha_error(made[3:], true[3:], example.weight.to(made))
    if wanted[1]:
        value[1] = likeness(composited(layers), example.inputs[0][:3].to(layers[0]))
    return value


def advantages(scores: Tensor, wanted: Sequence[bool]) -> Tensor:
    """Return advantages (G,) of scores (G, 4): each term z-scored in the group, their mean z-scored again."""
    terms = torch.stack([_standard(scores[:, i]) for i, on in enumerate(wanted) if on])
    return _standard(terms.mean(0))


def composited(layers: Sequence[Tensor]) -> Tensor:
    """Composite layers from back to front, the first taken as opaque: (3, H, W)."""
    colour = layers[0][:3]
    for layer in layers[1:]:
        colour = over(layer, colour)
    return colour


def likeness(a: Tensor, b: Tensor) -> Tensor:
    """Return the mean of SSIM and clamped PSNR over 50 dB, of RGB (3, H, W) in [0, 1]: at most 1."""
    psnr = -10 * torch.log10((a - b).square().mean().clamp(min=1e-10))
    similarity = ssim_map(a[None], b[None], gaussian()).mean()
    return (similarity + (psnr / MAX_PSNR).clamp(0, 1)) / 2


def alpha_error(made: Tensor, true: Tensor, certain: Tensor) -> Tensor:
    """Return the mean absolute error of alpha (1, H, W), weighted by the blurred band where the true one is soft.

    Without a soft place every pixel counts alike. `certain` (1, H, W) weighs the true alpha besides.
    """
    band = ((true >= SOFT[0]) & (true <= SOFT[1])).to(true)
    weight = F.avg_pool2d(band[None], 2 * BAND + 1, 1, BAND)[0]  # (1, H, W)
    if not bool(weight.any()):
        weight = torch.ones_like(true)
    weight = weight * certain
    return (weight * (made - true).abs()).sum() / weight.sum().clamp(min=1e-6)


def _layer(made: Tensor, true: Tensor) -> Tensor:
    flat = [made.new_full((3, *made.shape[1:]), b) for b in BACKGROUNDS]
    return torch.stack([likeness(over(made, b), over(true, b)) for b in flat]).mean()


def _standard(x: Tensor) -> Tensor:
    return (x - x.mean()) / (x.std(correction=0) + 1e-6)
