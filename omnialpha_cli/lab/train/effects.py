"""Train the effects network: a scene with an object painted over, times its factors, has to be the background."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...model.mini.effects import Effects
from ...tasks import TASKS
from .examples import draw_example
from .image_encoder import CanvasOf
from .loop import Objective, Schedule
from .material import Material, photo_of_shape
from .triplets import Mix

MIX = Mix()
TASK = TASKS["remove.mask"]
VISIBLE = 0.03  # a change of colour that is an effect
WEIGHT = 4.0  # of the error where there is one


@dataclass(frozen=True)
class Batch:
    """Hold scenes and backgrounds (B, 3, h, w), and masks (B, 1, h, w), all in [0, 1]."""

    scenes: Tensor
    masks: Tensor
    backgrounds: Tensor


def objective(material: Material, schedule: Schedule, canvas: CanvasOf, device: torch.device) -> Objective:
    """Return what `loop.train` optimises: the squared error of the background outside of the mask."""

    def draw(step: int, micro: int, g: torch.Generator) -> Batch:
        size = canvas(*photo_of_shape(material, g), schedule.size)
        examples = [draw_example(material, MIX, TASK, size, g, fill=True) for _ in range(schedule.micro_batch)]
        scenes, masks = (torch.stack([one.inputs[i] for one in examples]) for i in (0, 1))
        backgrounds = torch.stack([one.targets[0] for one in examples])
        return Batch(scenes[:, :3], masks[:, :1], backgrounds[:, :3])

    def ready(drawn: Batch) -> Batch:
        return Batch(drawn.scenes.to(device), drawn.masks.to(device), drawn.backgrounds.to(device))

    def loss(model: nn.Module, batch: Batch, term: int) -> tuple[Tensor, dict[str, float]]:
        assert isinstance(model, Effects)
        outside = 1 - batch.masks
        change = (batch.backgrounds - batch.scenes) * outside
        effect = (change.abs().amax(1, keepdim=True) > VISIBLE).float()
        error = (batch.scenes * model(batch.scenes, batch.masks) - batch.backgrounds).square() * outside
        left = (error * effect).sum() / (change.square() * effect).sum().clamp(min=1e-6)
        value = (error * (1 + (WEIGHT - 1) * effect)).mean()
        return value * 100, {"left": float(left.detach()), "elsewhere": float((error * (1 - effect)).mean().detach())}

    return Objective(draw, loss, ready=ready)
