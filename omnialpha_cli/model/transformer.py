"""Run the dual-stream RGBA diffusion transformer (arXiv 2511.20211 on Qwen-Image-Edit-2509).

Two streams, context and image, have their own modulation, projections and MLPs and meet in one attention over the
joint sequence [context, image]. The image stream holds the tokens of all images of a request, targets first. Parameter
names are those of the published checkpoint. `prepare` does what does not depend on sigma, `step` the rest.
"""

import math
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .config import TransformerConfig
from .positions import Layout, context_positions, image_positions, rotary_angles, rotate

__all__ = ["Layout", "Prepared", "Transformer", "TransformerConfig", "pack", "unpack"]

TIME_CHANNELS = 256
TIME_SCALE = 1000.0


def pack(latents: Tensor, patch: int) -> Tensor:
    """Return latents (B, C, H, W) → tokens (B, H/p · W/p, C·p²): row-major patches, channel order (c, dy, dx)."""
    return F.pixel_unshuffle(latents, patch).flatten(2).mT.contiguous()


def unpack(tokens: Tensor, h: int, w: int, patch: int) -> Tensor:
    """Return tokens (B, h·w, C·p²) → latents (B, C, h·p, w·p); h and w in patches."""
    return F.pixel_shuffle(tokens.mT.unflatten(2, (h, w)).contiguous(), patch)


def rounded(sigma: Tensor, dtype: torch.dtype) -> Tensor:
    """Round sigma (…) as the published pipeline does: the timestep to `dtype`, then a thousandth of it again.

    It holds the timestep in the dtype of the latents, and training did too. In bfloat16 that leaves some 1900 values of
    sigma, and the fast sinusoids of neighbouring values are radians apart: weights trained so know no others.
    """
    return ((sigma * TIME_SCALE).to(dtype) / TIME_SCALE).to(sigma.dtype)


def sinusoids(sigma: Tensor) -> Tensor:
    """Map sigma (…) to (…, 256) in float32: cosines first, then sines, of 1000·sigma at 128 frequencies."""
    half = TIME_CHANNELS // 2
    frequencies = torch.exp(-math.log(10000.0) * torch.arange(half, dtype=torch.float32, device=sigma.device) / half)
    angles = sigma.float()[..., None] * TIME_SCALE * frequencies  # (…, 128)
    return torch.cat((angles.cos(), angles.sin()), dim=-1)


class TimeEmbedding(nn.Module):
    """Embed sigma as the vector that modulates every block; with `rounding` as in the published pipeline."""

    def __init__(self, dim: int, rounding: bool = False):
        super().__init__()
        self.rounding = rounding
        layers = {"linear_1": nn.Linear(TIME_CHANNELS, dim), "silu": nn.SiLU(), "linear_2": nn.Linear(dim, dim)}
        self.timestep_embedder = nn.Sequential(OrderedDict(layers))

    def forward(self, sigma: Tensor, dtype: torch.dtype) -> Tensor:
        """Map (…) to (…, D) in `dtype`."""
        sigma = rounded(sigma, dtype) if self.rounding else sigma
        return self.timestep_embedder(sinusoids(sigma).to(dtype))


RMSNorm = partial(nn.RMSNorm, eps=1e-6)


def feed_forward(dim: int) -> nn.Sequential:
    """Return an MLP ×4, (B, L, D) to (B, L, D), by its published names: place 1 of `net` is a dropout's."""
    enter = nn.Sequential(OrderedDict(proj=nn.Linear(dim, 4 * dim), gelu=nn.GELU("tanh")))
    return nn.Sequential(OrderedDict(net=nn.Sequential(enter, nn.Identity(), nn.Linear(4 * dim, dim))))


class JointAttention(nn.Module):
    """Attend over [context, image] with projections, q/k norms and outputs of its own for each stream."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads = heads
        self.to_q, self.to_k, self.to_v = (nn.Linear(dim, dim) for _ in range(3))
        self.add_q_proj, self.add_k_proj, self.add_v_proj = (nn.Linear(dim, dim) for _ in range(3))
        self.norm_q, self.norm_k = RMSNorm(dim // heads), RMSNorm(dim // heads)
        self.norm_added_q, self.norm_added_k = RMSNorm(dim // heads), RMSNorm(dim // heads)
        self.to_out = nn.ModuleList([nn.Linear(dim, dim)])
        self.to_add_out = nn.Linear(dim, dim)

    def forward(self, image: Tensor, context: Tensor, prepared: "Prepared") -> tuple[Tensor, Tensor]:
        """Return the attended image (B, N, D) and context (B, L, D)."""
        length = context.shape[1]
        q = torch.cat((self._heads(context, self.add_q_proj, self.norm_added_q),
                       self._heads(image, self.to_q, self.norm_q)), dim=2)  # fmt: skip
        joint = self._attend(rotate(q, prepared.cos, prepared.sin), image, context, prepared)
        return self.to_out[0](joint[:, length:]), self.to_add_out(joint[:, :length])

    def targets(self, image: Tensor, context: Tensor, prepared: "Prepared") -> Tensor:
        """Return what the target tokens alone attend to: (B, N_targets, D)."""
        first, count = context.shape[1], prepared.layout.num_targets
        places = slice(first, first + count)
        q = self._heads(image[:, :count], self.to_q, self.norm_q)
        q = rotate(q, prepared.cos[:, :, places], prepared.sin[:, :, places])
        return self.to_out[0](self._attend(q, image, context, prepared))

    def _heads(self, x: Tensor, projection: nn.Linear, norm: nn.Module | None = None) -> Tensor:
        heads = projection(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, heads, L, D/heads)
        return heads if norm is None else norm(heads)

    def _attend(self, q: Tensor, image: Tensor, context: Tensor, prepared: "Prepared") -> Tensor:
        """Attend rotated queries (B, heads, Q, d) to the keys and values of the whole sequence: (B, Q, D)."""
        k = torch.cat((self._heads(context, self.add_k_proj, self.norm_added_k),
                       self._heads(image, self.to_k, self.norm_k)), dim=2)  # fmt: skip
        k = rotate(k, prepared.cos, prepared.sin)  # (B, heads, L + N, D/heads)
        v = torch.cat((self._heads(context, self.add_v_proj), self._heads(image, self.to_v)), dim=2)
        return F.scaled_dot_product_attention(q, k, v, attn_mask=prepared.mask).transpose(1, 2).flatten(2)


def modulation(dim: int) -> nn.Sequential:
    """Return shift, scale and gate of a block's attention, then of its MLP, from (…, D): (…, 6·D)."""
    return nn.Sequential(nn.SiLU(), nn.Linear(dim, 6 * dim))


def per_token(values: Tensor, layout: Layout) -> Tensor:
    """Return the modulation (B, 1 or N, C) of each image token, from one of all or two, of targets and of inputs."""
    if values.shape[1] == 1:
        return values
    counts = (layout.num_targets, layout.num_tokens - layout.num_targets)
    return torch.cat([values[:, i : i + 1].expand(-1, n, -1) for i, n in enumerate(counts)], dim=1)


def normed(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Return the layer norm of (B, N, D) under shift and scale, each (B, 1 or N, D)."""
    return torch.addcmul(shift, F.layer_norm(x, x.shape[-1:], eps=1e-6), 1 + scale)


def modulated(x: Tensor, mlp: nn.Module, shift: Tensor, scale: Tensor, gate: Tensor) -> Tensor:
    """Return x (B, N, D) and, times the gate, what the MLP makes of it under shift and scale, each (B, 1 or N, D)."""
    return torch.addcmul(x, gate, mlp(normed(x, shift, scale)))


class Block(nn.Module):
    """Run one dual-stream block: modulated attention together, modulated MLP apart."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.img_mod, self.txt_mod = modulation(dim), modulation(dim)
        self.attn = JointAttention(dim, heads)
        self.img_mlp, self.txt_mlp = feed_forward(dim), feed_forward(dim)

    def forward(self, image: Tensor, context: Tensor, time: Tensor, prepared: "Prepared") -> tuple[Tensor, Tensor]:
        """Return image (B, N, D), context (B, L, D), time (B, 1 or 2, D) → image and context after the block."""
        # Each (B, 1 or N, D): shift, scale, gate of the attention, then of the MLP.
        i_shift1, i_scale1, i_gate1, *i_mlp = per_token(self.img_mod(time), prepared.layout).chunk(6, dim=-1)
        c_shift1, c_scale1, c_gate1, *c_mlp = self.txt_mod(time[:, :1]).chunk(6, dim=-1)
        i_out, c_out = self.attn(normed(image, i_shift1, i_scale1), normed(context, c_shift1, c_scale1), prepared)
        image, context = torch.addcmul(image, i_gate1, i_out), torch.addcmul(context, c_gate1, c_out)
        return modulated(image, self.img_mlp, *i_mlp), modulated(context, self.txt_mlp, *c_mlp)

    def targets(self, image: Tensor, context: Tensor, time: Tensor, prepared: "Prepared") -> Tensor:
        """Return the target tokens alone after the block (B, N_targets, D): nothing else is read after the last one."""
        modulations = self.img_mod(time)  # (B, 1 or 2, 6·D)
        i_shift1, i_scale1, *_ = per_token(modulations, prepared.layout).chunk(6, dim=-1)
        _, _, i_gate1, *i_mlp = modulations[:, :1].chunk(6, dim=-1)
        c_shift1, c_scale1, *_ = self.txt_mod(time[:, :1]).chunk(6, dim=-1)
        image_in, context_in = normed(image, i_shift1, i_scale1), normed(context, c_shift1, c_scale1)
        out = self.attn.targets(image_in, context_in, prepared)
        image = torch.addcmul(image[:, : out.shape[1]], i_gate1, out)
        return modulated(image, self.img_mlp, *i_mlp)


class OutputNorm(nn.Module):
    """Apply continuous adaptive layer norm; here the order is scale, shift."""

    def __init__(self, dim: int):
        super().__init__()
        self.linear = nn.Linear(dim, 2 * dim)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """Map (B, N, D), (B, D) to (B, N, D)."""
        scale, shift = self.linear(F.silu(time))[:, None].chunk(2, dim=-1)  # each (B, 1, D)
        return normed(x, shift, scale)


@dataclass(frozen=True)
class Prepared:
    """Hold what one request needs at every sigma.

    Embedded `context` (B, L, D) and `inputs` (B, N_inputs, D), the rotation's `cos` and `sin` (1 or B, 1, L + N,
    head_dim / 2) and the attention `mask` (B, 1, 1, L + N) or None.
    """

    layout: Layout
    context: Tensor
    inputs: Tensor
    cos: Tensor
    sin: Tensor
    mask: Tensor | None


class Transformer(nn.Module):
    """Predict, for every target token, what `prediction` in `config.json` names (published: a velocity)."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.config = config
        dim = config.inner_dim
        self.time_text_embed = TimeEmbedding(dim, config.timestep_rounding)
        self.txt_norm = RMSNorm(config.joint_attention_dim)
        self.img_in = nn.Linear(config.in_channels, dim)
        self.txt_in = nn.Linear(config.joint_attention_dim, dim)
        self.transformer_blocks = nn.ModuleList(
            Block(dim, config.num_attention_heads) for _ in range(config.num_layers)
        )  # fmt: skip
        self.stream: Iterable[nn.Module] | None = None  # brings the blocks to the device where they do not fit together
        self.norm_out = OutputNorm(dim)
        self.proj_out = nn.Linear(dim, config.patch_size**2 * config.out_channels)

    def prepare(
        self,
        inputs: Tensor,
        context: Tensor,
        layout: Layout,
        context_mask: Tensor | None = None,
        positions: Tensor | None = None,
    ) -> Prepared:
        """Embed what does not change with sigma.

        `inputs` (B, N_inputs, in_channels) tokens of the clean inputs; `context` (B, L, joint); `context_mask` (B, L),
        true where a token counts; `positions` (B, L, 3) of the context, None for the published diagonal. Raises
        ValueError for several targets where `zero_cond_t` knows one.
        """
        if self.config.zero_cond_t and len(layout.targets) > 1:
            raise ValueError(
                f"these weights make one image at a time (zero_cond_t), and {len(layout.targets)} are asked for"
            )
        if positions is None:
            positions = context_positions(layout, context.shape[1])[None]  # (1, L, 3)
        positions = positions.to(context.device).float()
        images = image_positions(layout, self.config.rope_canvas).to(positions).expand(len(positions), -1, -1)
        angles = rotary_angles(torch.cat((positions, images), dim=1), self.config.axes_dims_rope)  # (1 or B, L + N, ·)
        mask = None
        if context_mask is not None and not bool(context_mask.all()):
            mask = F.pad(context_mask.bool(), (0, layout.num_tokens), value=True)[:, None, None]  # (B, 1, 1, L + N)
        cos, sin = angles.cos()[:, None], angles.sin()[:, None]
        return Prepared(layout, self.txt_in(self.txt_norm(context)), self.img_in(inputs), cos, sin, mask)

    def step(self, x: Tensor, sigma: Tensor, prepared: Prepared) -> Tensor:
        """Return the output (B, N_targets, out·p²) at target tokens x (B, N_targets, in_channels) and sigma (B,)."""
        return self.hidden(x, sigma, prepared)[0]

    def hidden(self, x: Tensor, sigma: Tensor, prepared: Prepared) -> tuple[Tensor, Tensor]:
        """Return `step`, with the context stream (B, L, D) as the last block reads it, which training may supervise."""
        sigmas = torch.stack((sigma, 0 * sigma), dim=1) if self.config.zero_cond_t else sigma[:, None]
        time = self.time_text_embed(sigmas, x.dtype)  # (B, 1 or 2, D): of the targets, and of the inputs
        image = torch.cat((self.img_in(x), prepared.inputs), dim=1)  # (B, N, D)
        context = prepared.context
        for i, block in enumerate(cast(Iterable[Block], self.stream or self.transformer_blocks)):
            if i == self.config.num_layers - 1:  # nothing reads the other tokens after it
                image = block.targets(image, context, time, prepared)
            else:
                image, context = block(image, context, time, prepared)
        return self.proj_out(self.norm_out(image, time[:, 0])), context

    def forward(
        self,
        tokens: Tensor,
        context: Tensor,
        sigma: Tensor,
        layout: Layout,
        context_mask: Tensor | None = None,
        context_positions: Tensor | None = None,
    ) -> Tensor:
        """Map tokens (B, N, in_channels), targets first, to (B, N_targets, out·p²), by `prepare` and `step`."""
        targets, inputs = tokens[:, : layout.num_targets], tokens[:, layout.num_targets :]
        return self.step(targets, sigma, self.prepare(inputs, context, layout, context_mask, context_positions))
