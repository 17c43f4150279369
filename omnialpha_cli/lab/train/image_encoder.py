"""Train the context's image encoder, from ImageNet to "what would one cut out?", by predicting alpha.

The head exists in training alone: the transformer reads the neck's features, and learns the alpha from them itself.
"""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...model.mini.image_encoder import NECK, Backbone, ImageEncoder, Variant
from ...status import UsageError
from ..ssim import RADIUS, square, ssim_map
from .fold import fold_published
from .loop import Objective, Schedule
from .material import Material, photo_of_shape
from .triplets import Mix, draw_triplet

MIX = Mix(photo=0.7, recomposed=0.22, cutout=0.08)
EPSILON = 1e-3  # a cell's share of weight below which its alpha means nothing

CanvasOf = Callable[[int, int, int], tuple[int, int]]  # (height, width, side) → (h, w) of the canvas


class MattingEncoder(nn.Module):
    """Predict alpha by the encoder and a training head: RGB (B, 3, H, W) in [0, 1] → logits at strides 2 and 16."""

    def __init__(self, drop_path: float = 0.1):
        super().__init__()
        self.encoder = ImageEncoder(drop_path)
        self.fine = nn.Sequential(nn.Conv2d(NECK[0], 4, 3, padding=1), nn.PixelShuffle(2))
        self.coarse = nn.Conv2d(NECK[2], 1, 1)

    def forward(self, rgb: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (B, 1, H/2, W/2) and (B, 1, H/16, W/16)."""
        features = self.encoder(rgb)
        return self.fine(features.s4), self.coarse(features.s16)


def load_pretrained(backbone: Backbone, file: Path, variant: Variant) -> None:
    """Load the published state dict of an EfficientNet-Lite into a backbone. Raises UsageError for any other file."""
    published = torch.load(file, map_location="cpu", weights_only=True)
    try:
        backbone.load_state_dict(fold_published(published, variant))
    except (KeyError, RuntimeError) as error:
        name = variant.capitalize()
        raise UsageError(f"{file} is not EfficientNet-{name}: give the state dict that is published of it") from error


def weighted(error: Tensor, weight: Tensor) -> Tensor:
    """Return the mean over the examples of the weighted mean error of each, (B, 1, h, w); nothing where all weigh 0."""
    return ((error * weight).sum((1, 2, 3)) / weight.sum((1, 2, 3)).clamp(min=1)).mean()


def alpha_loss(logits: Tensor, coarse: Tensor, alpha: Tensor, weight: Tensor) -> tuple[Tensor, dict[str, float]]:
    """Sum BCE, L1, 0.3 (1 − SSIM), 0.5 (1 − soft IoU), and 0.3 BCE at stride 16.

    `alpha` and its `weight` (B, 1, H, W) are in [0, 1]; the logits are smaller.
    """

    def at(size: torch.Size) -> tuple[Tensor, Tensor]:
        """Return alpha as the weighted mean of what a cell covers, and the cell's weight: each (B, 1, h, w)."""
        share = F.interpolate(weight, size=size, mode="area")
        return F.interpolate(alpha * weight, size=size, mode="area") / share.clamp(min=EPSILON), share

    (target, share), (small, small_share) = at(logits.shape[-2:]), at(coarse.shape[-2:])
    p = logits.sigmoid()
    overlap = (p * target * share).sum((1, 2, 3))
    iou = (overlap + 1) / (((p + target) * share).sum((1, 2, 3)) - overlap + 1)
    windows = F.avg_pool2d(share, 2 * RADIUS + 1, stride=1)  # as those of SSIM
    value = (
        weighted(F.binary_cross_entropy_with_logits(logits, target, reduction="none"), share)
        + weighted((p - target).abs(), share)
        + 0.3 * weighted(1 - ssim_map(p, target, square()), windows)
        + 0.5 * (1 - iou).mean()
        + 0.3 * weighted(F.binary_cross_entropy_with_logits(coarse, small, reduction="none"), small_share)
    )
    return value, {"mse": float(weighted((p.detach() - target).square(), share))}


def scenes(
    material: Material, mix: Mix, schedule: Schedule, canvas: CanvasOf, g: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw a batch of one canvas: scenes (B, 3, h, w), alphas and their weights (B, 1, h, w)."""
    size = canvas(*photo_of_shape(material, g), schedule.size)
    triplets = [draw_triplet(material, mix, size, g) for _ in range(schedule.micro_batch)]
    columns = zip(*((t.scene, t.foreground[3:], t.weight) for t in triplets), strict=True)
    scene, alpha, weight = (torch.stack(column) for column in columns)
    return scene, alpha, weight


def objective(
    material: Material, schedule: Schedule, canvas: CanvasOf, device: torch.device, mix: Mix = MIX
) -> Objective:
    """Return what `loop.train` optimises, of any network that gives logits of alpha at two strides."""

    def draw(step: int, micro: int, g: torch.Generator) -> tuple[int, Tensor, Tensor, Tensor]:
        return int(torch.randint(2**31, (), generator=g)), *scenes(material, mix, schedule, canvas, g)

    def ready(drawn: tuple[int, Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        seed, rgb, alpha, weight = drawn
        torch.manual_seed(seed)  # drop-path draws from the global generator
        return rgb.to(device).contiguous(memory_format=torch.channels_last), alpha.to(device), weight.to(device)

    def loss(model: nn.Module, drawn: tuple[Tensor, Tensor, Tensor], term: int) -> tuple[Tensor, dict[str, float]]:
        rgb, alpha, weight = drawn
        fine, coarse = model(rgb)
        return alpha_loss(fine.float(), coarse.float(), alpha, weight)

    return Objective(draw, loss, ready=ready)
