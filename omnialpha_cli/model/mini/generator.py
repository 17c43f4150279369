"""Draw from words alone, for the embedded weights: a transformer of its own, which is given no picture.

It draws objects on nothing, and backgrounds. A transformer of that size that learns mattes does not learn to draw as
well. This one gets a sketch (`sketch.py`) and no words: it has the image stream of the dual-stream transformer alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

from .. import sampler
from ..config import FromDict, TransformerConfig
from ..positions import Layout, image_positions, rotary_angles, rotate
from ..transformer import OutputNorm, RMSNorm, TimeEmbedding, feed_forward, modulated, modulation, normed
from .sketch import PLACES, Drawing, Sketch, cut, fitted

# How like the most similar known name something is. As an object what we tried has .65 and more, a bridge .60, a lake
# .35, a village .34; as a background a red apple .48, a snowman .57, a forest .60, a mountain .70, and it has an emoji.
OBJECT, BACKGROUND = 0.6, 0.58


@dataclass(frozen=True)
class GeneratorConfig(FromDict):
    """Configure what differs between the drawing transformer and the one beside it.

    `names` of objects are known to the sketch, whose canvas has `side` latents a side, and those of `backgrounds` to
    another one, whose canvas has `wide` (h, w) latents; 0 is none. `known` and `known_backgrounds` are these names, in
    the sketches' order, for people.
    """

    names: int = 0
    side: int = 16
    backgrounds: int = 0
    wide: tuple[int, int] = (12, 24)
    num_layers: int = 8
    known: tuple[str, ...] = ()
    known_backgrounds: tuple[str, ...] = ()


def _silence(layer: nn.Module) -> None:
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)


class SelfAttention(nn.Module):
    """Attend among the tokens of the picture."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads = heads
        self.to_q, self.to_k, self.to_v = (nn.Linear(dim, dim) for _ in range(3))
        self.norm_q, self.norm_k = RMSNorm(dim // heads), RMSNorm(dim // heads)
        self.to_out = nn.ModuleList([nn.Linear(dim, dim)])

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Map (B, N, D) to (B, N, D)."""
        q, k, v = (to(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for to in (self.to_q, self.to_k, self.to_v))
        q, k = rotate(self.norm_q(q), cos, sin), rotate(self.norm_k(k), cos, sin)  # (B, heads, N, D/heads)
        return self.to_out[0](F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class DrawingBlock(nn.Module):
    """Apply modulated attention and a modulated MLP."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.img_mod = modulation(dim)
        _silence(self.img_mod[1])  # an untrained block lets everything pass
        self.attn = SelfAttention(dim, heads)
        self.img_mlp = feed_forward(dim)

    def forward(self, x: Tensor, time: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Return tokens (B, N, D) after the block, at a time (B, D)."""
        shift, scale, gate, *of_mlp = self.img_mod(time)[:, None].chunk(6, dim=-1)  # each (B, 1, D)
        x = torch.addcmul(x, gate, self.attn(normed(x, shift, scale), cos, sin))
        return modulated(x, self.img_mlp, *of_mlp)


class Generator(nn.Module):
    """Sketch what a prompt means, and draw what the sketch shows by a transformer."""

    def __init__(self, config: GeneratorConfig, beside: TransformerConfig, tokenizer: Tokenizer, table: Tensor):
        super().__init__()
        self.config, self.beside = config, beside
        dim, channels, side = beside.inner_dim, beside.in_channels, config.side // beside.patch_size
        self.sketch = Sketch(config.names, beside.out_channels, (config.side, config.side), tokenizer, table)
        self.backgrounds: Sketch | None = None
        if config.backgrounds:
            self.backgrounds = Sketch(config.backgrounds, beside.out_channels, config.wide, tokenizer, table)
        self.time_text_embed = TimeEmbedding(dim)
        self.img_in, self.sketch_in = nn.Linear(channels, dim), nn.Linear(channels, dim)
        _silence(self.sketch_in)
        # Turned queries and keys tell distances, not places; a large transformer makes places of them by itself.
        self.place = nn.Parameter(torch.zeros(1, dim, side, side))
        self.transformer_blocks = nn.ModuleList(
            DrawingBlock(dim, beside.num_attention_heads) for _ in range(config.num_layers)
        )  # fmt: skip
        self.norm_out = OutputNorm(dim)
        self.proj_out = nn.Linear(dim, channels)

    def forward(self, x: Tensor, sigma: Tensor, sketch: Tensor, layout: Layout) -> Tensor:
        """Return the clean tokens of noisy ones and of the sketch's (B, N_targets, C·p²), at sigma (B,)."""
        positions = image_positions(layout, self.beside.rope_canvas).to(x.device)  # (N, 3)
        angles = rotary_angles(positions, self.beside.axes_dims_rope)
        cos, sin = angles.cos()[None, None], angles.sin()[None, None]  # (1, 1, N, D/heads/2)
        grids = [F.interpolate(self.place, size, mode="bilinear") for size in layout.targets]  # each (1, D, h, w)
        places = torch.cat([grid.flatten(2).mT for grid in grids], dim=1)  # (1, N_targets, D)
        time = self.time_text_embed(sigma, x.dtype)  # (B, D)
        tokens = self.img_in(x) + self.sketch_in(sketch) + places  # (B, N_targets, D)
        for block in self.transformer_blocks:
            tokens = block(tokens, time, cos, sin)
        return self.proj_out(self.norm_out(tokens, time))

    def drawing(self, words: str, background: bool) -> Drawing | None:
        """Return what words are drawn as; None where the names of what is known are not."""
        sketch, names = self.sketch, self.config.known
        if background and self.backgrounds is not None:
            sketch, names = self.backgrounds, self.config.known_backgrounds
        return sketch.closest(words, names) if names else None

    def subject(self, words: str) -> str:
        """Return the object in the words for a scene, those before where it is, if it is known as one; or ""."""
        parts = words.split()
        end = next((i for i, word in enumerate(parts) if word.lower() in PLACES), len(parts))
        subject = " ".join(parts[:end])
        if not subject:
            return ""
        as_object = float(self.sketch.likeness([subject]))
        as_background = float(self.backgrounds.likeness([subject])) if self.backgrounds else 0.0
        least = as_background if end < len(parts) else OBJECT
        return subject if as_object >= least and as_background < BACKGROUND else ""

    def sketched(
        self, prompts: Sequence[str], layout: Layout, silent: bool = False, background: bool = False
    ) -> Tensor:
        """Return sketches of prompts as tokens (B, N_targets, C·p²), or, `silent`, of such prompts without any words.

        An object stands on nothing, in the middle, and is stretched with the target; of a background it is the middle.
        """
        sketches = []
        for prompt in prompts:
            words = [""] if silent else [prompt]
            if self.backgrounds is not None and background:
                h, w = layout.targets[0]
                latents = cut(self.backgrounds(words), h / w)
            else:
                latents = self.sketch(words)
            sketches.append(fitted(latents, layout, self.beside.patch_size))
        return torch.cat(sketches)

    def sample(
        self, prompts: Sequence[str], noise: Tensor, sigmas: Sequence[float], scale: float, layout: Layout,
        background: bool = False,
    ) -> Tensor:  # fmt: skip
        """Clean tokens (B, N_targets, C·p²) of prompts from noise, float32; `scale` is that of guidance, to 1 none."""
        dtype, guided = self.place.dtype, (False,) if scale <= 1 else (False, True)
        sketches = [self.sketched(prompts, layout, silent, background).to(dtype) for silent in guided]

        def velocity(x: Tensor, sigma: float) -> Tensor:
            at = x.new_full((len(x),), sigma)
            found = [(x - self(x.to(dtype), at, sketch, layout).to(x.dtype)) / sigma for sketch in sketches]
            return found[0] if scale <= 1 else sampler.guide(found[0], found[1], scale)

        return sampler.euler(velocity, noise, sigmas)


PERIOD = 16  # of the grid, pixels: a patch of the transformer
REACH = 1.0  # periods: standard deviation of the places whose pixels are averaged
WINDOW = 8  # pixels: a latent
FLAT = 0.05  # standard deviation of colours below which a window's are mostly noise


def without_grid(rgba: Tensor) -> Tensor:
    """Return RGBA (4, h, w) in [0, 1], sides multiples of `PERIOD`, whose colours lack what repeats; alpha is kept.

    What a place has in common with those a period away is taken off, then what is nearly flat is made flat, by a guided
    filter (He, Sun and Tang, "Guided Image Filtering", 2013) whose window is a latent: its mean has no grid.
    """
    colours = rgba[None, :3]
    repeated = F.pixel_unshuffle(colours - _mean(colours, PERIOD), PERIOD)  # (1, 3·256, h/16, w/16)
    colours = colours - F.pixel_shuffle(_blurred(repeated), PERIOD)
    mean = _mean(colours, WINDOW)
    variance = (_mean(colours.square(), WINDOW) - mean.square()).clamp(min=0).mean(1, keepdim=True)
    kept = variance / (variance + FLAT**2)  # (1, 1, h, w)
    colours = _mean(kept, WINDOW) * colours + _mean((1 - kept) * mean, WINDOW)
    return torch.cat((colours[0].clamp(0, 1), rgba[3:]))


def _mean(x: Tensor, period: int) -> Tensor:
    """Return the mean (B, C, h, w) of windows of a period's size, pixels at both ends counting half: 0 of any grid."""
    kernel = torch.ones(period + 1)
    kernel[[0, -1]] = 0.5
    return _filtered(x, kernel / period)


def _blurred(x: Tensor) -> Tensor:
    """Return a Gaussian blur (B, C, h, w) by `REACH`."""
    places = torch.arange(-3.0, 4.0)
    kernel = torch.exp(-places.square() / (2 * REACH**2))
    return _filtered(x, kernel / kernel.sum())


def _filtered(x: Tensor, kernel: Tensor) -> Tensor:
    """Filter (B, C, h, w) along rows and columns by an odd `kernel` (n,)."""
    half, channels = len(kernel) // 2, x.shape[1]
    for shape, padding in (((1, 1, 1, -1), (half, half, 0, 0)), ((1, 1, -1, 1), (0, 0, half, half))):
        weight = kernel.to(x).view(shape).expand(channels, -1, -1, -1)
        x = F.conv2d(F.pad(x, padding, "replicate"), weight, groups=channels)
    return x
