"""Encode RGBA with a light VAE for the embedded weights: the interface of `vae.AlphaVAE`, built for CPUs.

The published architecture at a small width trains an order of magnitude slower on a CPU. This one works at strides
2, 4 and 8 only (pixel unshuffle in, pixel shuffle out), has no normalisation layers, and keeps the deterministic
encoder; `latents_mean` and `latents_std` make each latent channel zero-mean and of unit variance.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..config import FromDict
from .unet import Block

Z_DIM = 16


@dataclass(frozen=True)
class LightVAEConfig(FromDict):
    """Configure `channels` at strides 2, 4 and 8, and the number of residual blocks at each."""

    channels: tuple[int, int, int] = (32, 64, 96)
    blocks: tuple[int, int, int] = (1, 1, 2)
    latents_mean: tuple[float, ...] = (0.0,) * Z_DIM
    latents_std: tuple[float, ...] = (1.0,) * Z_DIM


def _blocks(channels: int, count: int) -> list[Block]:
    return [Block(channels, normed=False) for _ in range(count)]


class LightVAE(nn.Module):
    """Convert RGBA (B, 4, H, W) in [−1, 1] to normalised latents (B, 16, H/8, W/8), and back."""

    def __init__(self, config: LightVAEConfig):
        super().__init__()
        self.config = config
        (a, b, c), (na, nb, nc) = config.channels, config.blocks
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(2),  # (B, 16, H/2, W/2)
            nn.Conv2d(16, a, 3, padding=1), *_blocks(a, na),
            nn.Conv2d(a, b, 3, stride=2, padding=1), *_blocks(b, nb),  # (B, b, H/4, W/4)
            nn.Conv2d(b, c, 3, stride=2, padding=1), *_blocks(c, nc),  # (B, c, H/8, W/8)
            nn.SiLU(), nn.Conv2d(c, Z_DIM, 3, padding=1),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            nn.Conv2d(Z_DIM, c, 3, padding=1), *_blocks(c, nc),
            nn.Conv2d(c, b * 4, 1), nn.PixelShuffle(2), *_blocks(b, nb),  # (B, b, H/4, W/4)
            nn.Conv2d(b, a * 4, 1), nn.PixelShuffle(2), *_blocks(a, na),  # (B, a, H/2, W/2)
            nn.SiLU(), nn.Conv2d(a, 16, 3, padding=1), nn.PixelShuffle(2),  # (B, 4, H, W)
        )  # fmt: skip

    def encode(self, rgba: Tensor) -> Tensor:
        """Encode RGBA (B, 4, H, W) in [−1, 1], H and W multiples of 8, to normalised latents (B, 16, H/8, W/8)."""
        z = self.encoder(rgba)
        mean, std = (z.new_tensor(v)[:, None, None] for v in (self.config.latents_mean, self.config.latents_std))
        return (z - mean) / std

    def decode(self, z: Tensor, clamp: bool = True) -> Tensor:
        """Decode normalised latents (B, 16, h, w) as they are to RGBA (B, 4, 8h, 8w), in [−1, 1] when clamped."""
        rgba = self.decoder(z)
        return torch.clamp(rgba, -1, 1) if clamp else rgba
