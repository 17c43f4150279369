"""Train the light alpha-aware VAE: reconstruct scenes and foregrounds, with noise on the latents.

During training a batch norm without parameters keeps each latent channel at zero mean and unit variance, so that the
noise cannot be outgrown; its running statistics become `latents_mean` and `latents_std`.
"""

from dataclasses import replace

import torch
from torch import Tensor, nn

from ...imaging.canvas import opaque
from ...model.mini.light_vae import Z_DIM, LightVAE, LightVAEConfig
from .loop import Objective, Schedule
from .material import Material
from .triplets import Mix, draw_triplet

LATENT_NOISE = 0.15
ALPHA_WEIGHT = 1.0
COLOUR_FLOOR = 0.3  # weight of colour errors where alpha is 0
EDGE_WEIGHT = 0.5  # of the L1 between image gradients: crisp edges and hair
MIX = Mix(photo=0.5, recomposed=0.25, cutout=0.25)


class TrainedVAE(nn.Module):
    """Hold the VAE and the batch norm that has its latents' statistics."""

    def __init__(self, config: LightVAEConfig):
        super().__init__()
        self.vae = LightVAE(config)
        self.statistics = nn.BatchNorm2d(Z_DIM, affine=False, momentum=0.02)

    def finished(self) -> LightVAE:
        """Return the VAE alone, the statistics written into its configuration."""
        mean, var = self.statistics.running_mean, self.statistics.running_var
        assert mean is not None and var is not None
        std = (var + self.statistics.eps).sqrt()
        vae = LightVAE(replace(self.vae.config, latents_mean=tuple(mean.tolist()), latents_std=tuple(std.tolist())))
        vae.load_state_dict(self.vae.state_dict())
        return vae.eval()


def batch(material: Material, schedule: Schedule, g: torch.Generator) -> Tensor:
    """Draw RGBA (B, 4, S, S) in [−1, 1]: half scenes, half foregrounds, some flattened over a plain colour."""
    images = []
    for i in range(schedule.micro_batch):
        triplet = draw_triplet(material, MIX, (schedule.size, schedule.size), g)
        images.append(opaque(triplet.scene) if i % 2 else triplet.foreground)
    return torch.stack(images) * 2 - 1


def reconstruction(target: Tensor, out: Tensor) -> tuple[Tensor, dict[str, float]]:
    """Sum L1 on colour (weighted by alpha), L1 and squared error on alpha, and L1 on the gradients of both."""
    alpha = (target[:, 3:] + 1) / 2
    weight = COLOUR_FLOOR + (1 - COLOUR_FLOOR) * alpha
    rgb = ((out[:, :3] - target[:, :3]).abs() * weight).mean()
    error = out[:, 3:] - target[:, 3:]
    a = error.abs().mean() + error.square().mean()
    diff = (out - target) * torch.cat((weight.expand(-1, 3, -1, -1), torch.ones_like(weight)), dim=1)
    edges = torch.diff(diff, dim=-1).abs().mean() + torch.diff(diff, dim=-2).abs().mean()
    value = rgb + ALPHA_WEIGHT * a + EDGE_WEIGHT * edges
    mse_alpha = (error.detach() / 2).square().mean()
    mse_rgb = ((out[:, :3] - target[:, :3]).detach() / 2 * weight).square().mean()
    return value, {"mse_alpha": float(mse_alpha), "mse_rgb": float(mse_rgb)}


def objective(material: Material, schedule: Schedule, device: torch.device) -> Objective:
    """Return what `loop.train` optimises."""

    def draw(step: int, micro: int, g: torch.Generator) -> tuple[Tensor, Tensor]:
        target = batch(material, schedule, g)
        noise = torch.randn(len(target), Z_DIM, schedule.size // 8, schedule.size // 8, generator=g)
        return target, noise

    def ready(drawn: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        target, noise = drawn
        return target.to(device).contiguous(memory_format=torch.channels_last), noise.to(device)

    def loss(model: nn.Module, drawn: tuple[Tensor, Tensor], term: int) -> tuple[Tensor, dict[str, float]]:
        assert isinstance(model, TrainedVAE)
        target, noise = drawn
        z = model.statistics(model.vae.encoder(target).float()) + LATENT_NOISE * noise
        return reconstruction(target, model.vae.decoder(z).float())

    return Objective(draw, loss, ready=ready)
