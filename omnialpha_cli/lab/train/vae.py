"""Train the alpha-aware VAE of the published architecture (AlphaVAE, arXiv 2507.09308).

An RGB autoencoder, made to start as one whose alpha is opaque, learns alpha from RGBA pictures. The discriminator is
trained along, in the same pass: each network gets the gradients of its own loss alone.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...imaging.canvas import opaque
from ...model.vae import AlphaVAE
from .augment import chance, choice
from .loop import Objective, Schedule
from .material import Material
from .patch_gan import PatchGAN, adaptive_weight, discriminator_loss, generator_loss
from .perceptual import Distance
from .pictures import SEED, sheet
from .triplets import Mix, draw_triplet
from .vae_losses import Posterior, composite, expected_error, kl_between, kl_to_normal, perceptual_error

MIX = Mix(photo=0.5, recomposed=0.25, cutout=0.25)
LEVELS = (0.0, 0.5, 1.0)  # of each channel of a flat background
REFERENCE_BACKGROUNDS = (-1.0, 1.0)  # over which the posterior is held to the initial VAE's
SHOWN = 4  # validation pictures


@dataclass(frozen=True)
class Weights:
    """Hold weights of the terms; `adversarial` multiplies the one that adapts. `flatten` is a share of the pictures.

    `backgrounds` are the greys in [−1, 1] of the perceptual term: black and white, as the paper says.
    """

    perceptual: float = 0.5
    kl: float = 1e-6
    kl_reference: float = 1e-16
    adversarial: float = 1.0
    adversarial_from: int = 4000  # the step
    flatten: float = 0.3
    backgrounds: tuple[float, ...] = (-1.0, 1.0)


@dataclass(frozen=True)
class Batch:
    """Hold pictures (B, 4, S, S) in [−1, 1] and the posterior's noise (B, C, S/8, S/8)."""

    step: int
    rgba: Tensor
    noise: Tensor


class TrainedVAE(nn.Module):
    """Hold what the optimiser is given: the VAE and its discriminator."""

    def __init__(self, vae: AlphaVAE):
        super().__init__()
        self.vae = vae
        self.discriminator = PatchGAN(vae.config.input_channels)


def draw_picture(material: Material, size: int, flatten: float, g: torch.Generator) -> Tensor:
    """Draw RGBA (4, S, S) in [−1, 1]: a foreground, or, by the share `flatten`, one put on a flat colour."""
    rgba = draw_triplet(material, MIX, (size, size), g).foreground
    if chance(g, flatten):
        colour = torch.tensor([LEVELS[choice(g, len(LEVELS))] for _ in range(3)])[:, None, None]
        rgba = opaque(rgba[:3] * rgba[3:] + colour * (1 - rgba[3:]))
    return rgba * 2 - 1


def objective(
    material: Material, model: TrainedVAE, reference: AlphaVAE | None, distance: Distance, weights: Weights,
    schedule: Schedule, device: torch.device, held_out: Material | None = None,
) -> Objective:  # fmt: skip
    """Return what `loop.train` optimises. `reference` is the frozen initial VAE; None leaves its term out."""

    def draw(step: int, micro: int, g: torch.Generator) -> Batch:
        pictures = [draw_picture(material, schedule.size, weights.flatten, g) for _ in range(schedule.micro_batch)]
        side = schedule.size // model.vae.downsampling
        noise = torch.randn(len(pictures), model.vae.config.z_dim, side, side, generator=g)
        return Batch(step, torch.stack(pictures), noise)

    def ready(drawn: Batch) -> Batch:
        return Batch(drawn.step, drawn.rgba.to(device), drawn.noise.to(device))

    def loss(trained: nn.Module, batch: Batch, term: int) -> tuple[Tensor, dict[str, float]]:
        assert isinstance(trained, TrainedVAE)
        vae, rgba = trained.vae, batch.rgba
        posterior = moments(vae, rgba)
        made = vae.decode(vae.normalise(sample(posterior, batch.noise)), clamp=False).float()
        terms = {
            "error": expected_error(rgba, made),
            "perceptual": weights.perceptual * perceptual_error(rgba, made, distance, weights.backgrounds),
            "kl": weights.kl * kl_to_normal(posterior),
        }
        if reference is not None and weights.kl_reference:
            terms["kl_reference"] = weights.kl_reference * to_reference(vae, reference, rgba)
        if weights.adversarial and batch.step >= weights.adversarial_from:
            fooled = generator_loss(trained.discriminator, made)
            adaptive = adaptive_weight(terms["error"], fooled, vae.decoder.get_parameter("conv_out.weight"))
            terms["generator"] = weights.adversarial * adaptive * fooled
            terms["discriminator"] = discriminator_loss(trained.discriminator, rgba, made)
        return torch.stack(list(terms.values())).sum(), {name: float(value.detach()) for name, value in terms.items()}

    def picture() -> Tensor:
        rows = []
        for i in range(SHOWN):
            g = torch.Generator().manual_seed(SEED + i)
            rgba = draw_picture(held_out or material, schedule.size, 0.0, g).to(device)
            with torch.no_grad():
                made = model.vae.decode(model.vae.encode(rgba[None]))[0]
            rows.append([(rgba + 1) / 2, (made.float() + 1) / 2])
        return sheet(rows)

    return Objective(draw, loss, picture=picture, ready=ready)


def moments(vae: AlphaVAE, rgba: Tensor) -> Posterior:
    """Return the mean and log-variance in float32: in 16 bits the KL terms would drown."""
    mean, logvar = vae.encode_moments(rgba)
    return mean.float(), logvar.float()


def sample(posterior: Posterior, noise: Tensor) -> Tensor:
    """Return latents of the network (B, C, h, w)."""
    mean, logvar = posterior
    return mean + (0.5 * logvar).exp() * noise


def to_reference(vae: AlphaVAE, reference: AlphaVAE, rgba: Tensor) -> Tensor:
    """Return the KL of posteriors of flat composites, over black and over white, to the initial VAE's: a scalar."""
    flat = torch.cat([composite(rgba, b) for b in REFERENCE_BACKGROUNDS])  # (2B, 3, H, W)
    flat = torch.cat((flat, torch.ones_like(flat[:, :1])), dim=1)
    with torch.no_grad():
        wanted = moments(reference, flat)
    return kl_between(moments(vae, flat), wanted)  # a mean over all of them
