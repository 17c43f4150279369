"""Draw validation pictures: what went in, what should come out, and what comes out, an example a row."""

from collections.abc import Sequence
from itertools import chain, islice

import torch
from torch import Tensor

from ...imaging.composite import checkerboard, over
from ...model.omnialpha import OmniAlpha, Request
from ...tasks import TASKS
from .examples import canvas_side, draw_example, shape
from .image_encoder import CanvasOf
from .material import Material
from .triplets import Mix

ROWS = 6  # tasks in a sheet, the heaviest
SEED = 20_251_120
GAP = 4  # pixels
GREY = 0.16


@torch.no_grad()
def validation_sheet(
    model: OmniAlpha, material: Material, mix: Mix, tasks: dict[str, float], side: int, canvas: CanvasOf
) -> Tensor:
    """Draw a fixed example, with fixed noise, of each of the heaviest tasks: RGB (3, H, W) in [0, 1]."""
    rows = []
    for name in islice(sorted(tasks, key=lambda name: -tasks[name]), ROWS):
        g = torch.Generator().manual_seed(SEED)
        task, defaults = TASKS[name], model.defaults.of(name)
        size = canvas(*shape(material, task, g), canvas_side(model.defaults, task, side))
        example = draw_example(material, mix, task, size, g, fill=model.defaults.fill)
        request = Request(example.prompt, tuple(example.inputs), (size,) * len(example.targets))
        scale = defaults.guidance
        contexts = model.context([request], guided=scale != 1)
        clean = model.sample([request], contexts, model.encode([request]), defaults.steps, scale)
        (layers,) = model.decode(clean, request.layout)
        rows.append([*example.inputs, *example.targets, *layers])
    return sheet(rows)


def sheet(rows: Sequence[Sequence[Tensor]]) -> Tensor:
    """Lay rows of RGBA pictures (4, h, w) in [0, 1] over checkerboards side by side: (3, H, W)."""
    height, width = (max(p.shape[axis] for p in chain(*rows)) + GAP for axis in (1, 2))
    out = torch.full((3, len(rows) * height + GAP, max(map(len, rows)) * width + GAP), GREY)
    for i, row in enumerate(rows):
        for j, picture in enumerate(row):
            h, w = picture.shape[1:]
            top, left = GAP + i * height, GAP + j * width
            out[:, top : top + h, left : left + w] = over(picture.float().cpu(), checkerboard(h, w))
    return out
