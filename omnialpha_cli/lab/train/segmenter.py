"""Train the segmenter: alpha from pictures as users take them.

Many are close, so that the frame cuts their subjects; objects stand before walls and on tables, one or two at a time.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch

from .image_encoder import CanvasOf, objective
from .loop import Objective, Schedule
from .material import Material
from .triplets import Mix

MIX = Mix(photo=0.8, recomposed=0.17, cutout=0.03, built=0.1, close=0.4, both=0.25, plain=0.25, shadow=0.5)


def objective_of(
    material: Material, sources: Mapping[str, float], canvas: CanvasOf, device: torch.device, schedule: Schedule
) -> Objective:
    """Return what `loop.train` optimises; `sources` say how often photographs of a source are drawn."""
    mix = replace(MIX, sources=tuple(sources.items()))
    return objective(material, schedule, canvas, device, mix)
