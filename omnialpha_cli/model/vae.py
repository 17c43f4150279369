"""Encode RGBA by the alpha-aware VAE (arXiv 2507.09308) on the Qwen-Image autoencoder, as a 2-D network.

The published network is made of causal 3-D convolutions. On a single frame their temporal padding is zero frames, so
each kernel acts through its last temporal slice alone and the temporal resamplers are skipped: what is left is exactly
a 2-D network. `AlphaVAE.from_published` takes those slices; parameter names are the published ones.

`AlphaVAE.opaque_init` turns an RGB checkpoint into an RGBA one (the AlphaVAE paper's initialisation): alpha is ignored
on the way in and is 1 on the way out, so that fine-tuning starts from the RGB model.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import VAEConfig

LOGVAR_RANGE = (-30.0, 20.0)  # as the published posterior


class RMSNorm(nn.Module):
    """Return x / ‖x‖ · √C · gamma over the channels, in float32, then SiLU; in place without gradients, for CPUs."""

    def __init__(self, channels: int, silu: bool = True):
        super().__init__()
        self.silu = silu
        self.gamma = nn.Parameter(torch.ones(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to its own shape and dtype."""
        norm = torch.linalg.vector_norm(x, dim=1, keepdim=True, dtype=torch.float32).clamp_min(1e-12)  # (B, 1, H, W)
        y = (x * (x.shape[1] ** 0.5 / norm)).to(x.dtype)
        in_place = not torch.is_grad_enabled()
        y = y.mul_(self.gamma) if in_place else y * self.gamma
        return F.silu(y, inplace=in_place) if self.silu else y


class ResidualBlock(nn.Module):
    """Apply two norm–SiLU–convolution steps beside a shortcut."""

    def __init__(self, c_in: int, c_out: int):
        super().__init__()
        self.norm1 = RMSNorm(c_in)
        self.conv1 = nn.Conv2d(c_in, c_out, 3, padding=1)
        self.norm2 = RMSNorm(c_out)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, padding=1)
        self.conv_shortcut = nn.Conv2d(c_in, c_out, 1) if c_in != c_out else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C_in, H, W) to (B, C_out, H, W)."""
        h = self.conv1(self.norm1(x))
        h = self.conv2(self.norm2(h))
        h += self.conv_shortcut(x)
        return h


class AttentionBlock(nn.Module):
    """Attend over all pixels with a single head, beside a shortcut."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm = RMSNorm(channels, silu=False)
        self.to_qkv = nn.Conv2d(channels, channels * 3, 1)
        self.proj = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, H, W)."""
        qkv = self.to_qkv(self.norm(x)).flatten(2).mT[:, None]  # (B, 1, H·W, 3C)
        q, k, v = qkv.chunk(3, dim=-1)
        y = F.scaled_dot_product_attention(q, k, v)  # (B, 1, H·W, C)
        return x + self.proj(y[:, 0].mT.reshape(x.shape))


class MidBlock(nn.Module):
    """Apply residual, attention, residual at the lowest resolution."""

    def __init__(self, channels: int):
        super().__init__()
        self.resnets = nn.ModuleList(ResidualBlock(channels, channels) for _ in range(2))
        self.attentions = nn.ModuleList([AttentionBlock(channels)])

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, H, W)."""
        return self.resnets[1](self.attentions[0](self.resnets[0](x)))


class Resample(nn.Sequential):
    """Halve or double the resolution; the convolution is `resample.1`, as published."""

    def __init__(self, *layers: nn.Module):
        super().__init__(OrderedDict(resample=nn.Sequential(*layers)))

    @classmethod
    def down(cls, channels: int) -> Self:
        """Map (B, C, H, W) to (B, C, H/2, W/2); pads below and to the right only."""
        return cls(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(channels, channels, 3, stride=2))

    @classmethod
    def up(cls, channels: int) -> Self:
        """Map (B, C, H, W) to (B, C/2, 2H, 2W)."""
        return cls(nn.Upsample(scale_factor=2, mode="nearest-exact"), nn.Conv2d(channels, channels // 2, 3, padding=1))


def encoder(config: VAEConfig) -> nn.Sequential:
    """Return (B, input_channels, H, W) → the posterior (B, 2·z_dim, H/8, W/8), for four levels.

    Residual blocks with a halving between two levels, then the middle.
    """
    widths = [config.base_dim * m for m in (1, *config.dim_mult)]
    conv_in = nn.Conv2d(config.input_channels, widths[0], 3, padding=1)
    blocks: list[nn.Module] = []
    for level, (c_in, c_out) in enumerate(pairwise(widths), 1):
        blocks += _residuals(c_in, c_out, config.num_res_blocks)
        blocks += [Resample.down(c_out)] if level < len(config.dim_mult) else []
    middle = {"down_blocks": nn.Sequential(*blocks), "mid_block": MidBlock(widths[-1])}
    return _network(conv_in, middle, widths[-1], 2 * config.z_dim)


def decoder(config: VAEConfig) -> nn.Sequential:
    """Return (B, z_dim, h, w) → (B, input_channels, 8h, 8w), for four levels.

    The middle, then residual blocks with a doubling, which halves the channels, between two levels.
    """
    widths = [config.base_dim * m for m in (config.dim_mult[-1], *reversed(config.dim_mult))]
    conv_in, mid_block = nn.Conv2d(config.z_dim, widths[0], 3, padding=1), MidBlock(widths[0])
    blocks = []
    for level, (c_in, c_out) in enumerate(pairwise(widths), 1):
        resnets = _residuals(c_in if level == 1 else c_in // 2, c_out, config.num_res_blocks + 1)
        upsamplers = [Resample.up(c_out)] if level < len(config.dim_mult) else []
        parts = {"resnets": nn.Sequential(*resnets), "upsamplers": nn.Sequential(*upsamplers)}
        blocks.append(nn.Sequential(OrderedDict(parts)))
    middle = {"mid_block": mid_block, "up_blocks": nn.Sequential(*blocks)}
    return _network(conv_in, middle, widths[-1], config.input_channels)


def _network(conv_in: nn.Conv2d, middle: Mapping[str, nn.Module], width: int, c_out: int) -> nn.Sequential:
    ends = {"norm_out": RMSNorm(width), "conv_out": nn.Conv2d(width, c_out, 3, padding=1)}
    return nn.Sequential(OrderedDict(conv_in=conv_in, **middle, **ends))


class AlphaVAE(nn.Module):
    """Convert RGBA pictures to normalised latents and back. Pixels, alpha too, are in [−1, 1] (alpha 1 is opaque)."""

    def __init__(self, config: VAEConfig):
        super().__init__()
        self.config = config
        self.encoder = encoder(config)
        self.quant_conv = nn.Conv2d(2 * config.z_dim, 2 * config.z_dim, 1)
        self.post_quant_conv = nn.Conv2d(config.z_dim, config.z_dim, 1)
        self.decoder = decoder(config)

    @property
    def downsampling(self) -> int:
        """Return pixels a latent along each side: 8 for four levels."""
        return 2 ** (len(self.config.dim_mult) - 1)

    def encode_moments(self, rgba: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance of the posterior, not normalised: (B, 4, H, W) → twice (B, 16, H/8, W/8).

        Raises ValueError if a side is not a multiple of 8.
        """
        if any(side % self.downsampling for side in rgba.shape[-2:]):
            raise ValueError(f"sides of {tuple(rgba.shape)} are not multiples of {self.downsampling}")
        rgba = rgba.contiguous(memory_format=torch.channels_last)
        mean, logvar = self.quant_conv(self.encoder(rgba)).chunk(2, dim=1)
        return mean, logvar.clamp(*LOGVAR_RANGE)

    def encode(self, rgba: Tensor) -> Tensor:
        """Encode (B, 4, H, W) in [−1, 1] to the posterior's mode, normalised: (z − mean) / std, (B, 16, H/8, W/8)."""
        return self.normalise(self.encode_moments(rgba)[0])

    def decode(self, z: Tensor, clamp: bool = True) -> Tensor:
        """Decode normalised latents (B, 16, h, w) to (B, 4, 8h, 8w), in [−1, 1] with `clamp`.

        Training does not clamp: after opaque initialisation alpha is exactly 1, where a clamp has no gradient.
        """
        z = self.denormalise(z).contiguous(memory_format=torch.channels_last)
        rgba = self.decoder(self.post_quant_conv(z))
        return rgba.clamp(-1, 1) if clamp else rgba

    def normalise(self, z: Tensor) -> Tensor:
        """Return (z − mean) / std by channel, from latents of the network (B, 16, h, w) to those that are diffused."""
        mean, std = self._statistics(z)
        return (z - mean) / std

    def denormalise(self, z: Tensor) -> Tensor:
        """Return latents of the network from normalised ones: z · std + mean."""
        mean, std = self._statistics(z)
        return z * std + mean

    def _statistics(self, like: Tensor) -> Iterator[Tensor]:
        # Not buffers: loading through the meta device would leave those empty.
        return (like.new_tensor(v)[:, None, None] for v in (self.config.latents_mean, self.config.latents_std))

    @classmethod
    def from_published(cls, state: Mapping[str, Tensor], config: VAEConfig | Mapping[str, Any]) -> Self:
        """Build the 2-D network from a published (3-D) state dict; tensors already in the 2-D layout pass unchanged.

        `config` may be the published `config.json`. Raises ValueError naming keys missing, left over or of another
        shape.
        """
        config = config if isinstance(config, VAEConfig) else VAEConfig.from_dict(config)
        flat = {name: _flatten(name, tensor) for name, tensor in state.items() if ".time_conv." not in name}
        with torch.device("meta"):
            vae = cls(config)
        expected = vae.state_dict()
        faults = [f"missing {name}" for name in sorted(expected.keys() - flat.keys())]
        faults += [f"unknown {name}" for name in sorted(flat.keys() - expected.keys())]
        faults += [
            f"{name} is {tuple(flat[name].shape)}, not {tuple(expected[name].shape)}"
            for name in sorted(expected.keys() & flat.keys())
            if flat[name].shape != expected[name].shape
        ]
        if faults:
            raise ValueError(f"not the weights of {config}: {'; '.join(faults)}")
        vae.load_state_dict(flat, assign=True)
        return vae

    @staticmethod
    def opaque_init(rgb_state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return a 4-channel state dict from a 3-channel one, both in the published layout; other tensors are shared.

        Facts of the AlphaVAE paper: the encoder's weight for alpha is 0; the decoder's is 0 with a bias of 1, opaque.
        Raises ValueError if the input is not a 3-channel state dict.
        """
        names = ("encoder.conv_in.weight", "decoder.conv_out.weight", "decoder.conv_out.bias")
        missing = [name for name in names if name not in rgb_state]
        if missing:
            raise ValueError(f"not a VAE's state dict: missing {', '.join(missing)}")
        w_in, w_out, bias = (rgb_state[name] for name in names)
        if (w_in.shape[1], w_out.shape[0], bias.shape[0]) != (3, 3, 3):
            raise ValueError(f"opaque initialisation starts from 3 channels, not {w_in.shape[1]} and {w_out.shape[0]}")
        grown = (
            torch.cat([w_in, torch.zeros_like(w_in[:, :1])], dim=1),  # (C, 4, …)
            torch.cat([w_out, torch.zeros_like(w_out[:1])]),  # (4, C, …)
            torch.cat([bias, torch.ones_like(bias[:1])]),  # (4,)
        )
        return {**rgb_state, **dict(zip(names, grown, strict=True))}


def _residuals(c_in: int, c_out: int, count: int) -> list[ResidualBlock]:
    return [ResidualBlock(c_in if i == 0 else c_out, c_out) for i in range(count)]


def _flatten(name: str, tensor: Tensor) -> Tensor:
    """Return a published tensor on one frame: kernels (O, I, T, h, w) → their last slice; gammas → (C, 1, 1)."""
    if name.endswith(".gamma"):
        return tensor.reshape(-1, 1, 1)
    return tensor[:, :, -1].contiguous() if tensor.ndim == 5 else tensor
