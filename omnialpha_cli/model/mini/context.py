"""Encode the embedded weights' context: word pieces of the prompt, image features of the inputs at strides 16 and 32.

It takes the place of Qwen2.5-VL. A feature token brings its position: z = −1 − k for input k (so its distance to the
first target does not depend on the number of targets), y and x on the image's own grid, in the transformer's units.
Words lie beyond the canvas, in a layer of their own. `relevance.py` finds the object that they name.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

from ..config import FromDict
from ..parts import Context, pad
from ..positions import canvas_scale
from ..request import PATCH, over_white
from .image_encoder import NECK, ImageEncoder
from .relevance import Relevance

WORD_LAYER = -16.0  # z of words: apart from every image
MAX_WORDS = 64
TOKENIZER_FILE = "tokenizer.json"


@dataclass(frozen=True)
class MiniContextConfig(FromDict):
    """Configure the context: `dim` is the transformer's `joint_attention_dim`; words are `vocabulary` × `word_dim`."""

    dim: int = 256
    vocabulary: int = 8192
    word_dim: int = 384
    max_words: int = MAX_WORDS
    rope_canvas: int = 16


@dataclass(frozen=True)
class ImageTokens:
    """Hold the features of the inputs, one entry an item: tokens (L_i, dim) and positions (L_i, 3)."""

    tokens: list[Tensor]
    positions: list[Tensor]


class MiniContext(nn.Module):
    """Encode a context: `look` at the images once, `read` any prompt to them."""

    def __init__(self, config: MiniContextConfig, tokenizer: Tokenizer):
        super().__init__()
        self.config = config
        self.tokenizer = tokenizer
        self.image_encoder = ImageEncoder()
        # Given its table, it draws none: on the meta device that alone would import for a second.
        table = torch.zeros(config.vocabulary, config.word_dim)
        self.words = nn.Embedding.from_pretrained(table, freeze=False)
        self.word_in = nn.Linear(config.word_dim, config.dim)
        # A stride-16 token also holds the finer levels of its cell, which is where edges are.
        self.near_in = nn.Linear(NECK[2] + 4 * NECK[1] + 16 * NECK[0], config.dim)
        self.far_in = nn.Linear(NECK[3], config.dim)
        self.kind = nn.Parameter(torch.zeros(3, config.dim))  # word, near, far
        self.relevance = Relevance(config.word_dim)

    def look(self, images: Sequence[Sequence[Tensor]]) -> ImageTokens:
        """Return image features of every item's inputs: RGBA (4, H, W) in [0, 1], sides multiples of 32.

        Images of one size share a pass through the encoder.
        """
        flat = [over_white(image) for item in images for image in item]
        features: list[Tensor] = [torch.empty(0)] * len(flat)
        for size in {f.shape[-2:] for f in flat}:
            places = [i for i, f in enumerate(flat) if f.shape[-2:] == size]
            tokens = self.embed_images(torch.stack([flat[i] for i in places]))  # (n, L, dim)
            for place, t in zip(places, tokens, strict=True):
                features[place] = t
        nothing, rest = self.kind.new_zeros(0, self.config.dim), iter(features)
        sizes = [tuple((image.shape[-2], image.shape[-1]) for image in item) for item in images]
        return ImageTokens(
            [torch.cat([nothing, *(next(rest) for _ in item)]) for item in images],
            [feature_positions(own, self.config.rope_canvas).to(nothing.device) for own in sizes],
        )

    def embed_images(self, rgb: Tensor) -> Tensor:
        """Embed RGB (n, 3, H, W) in [0, 1] as tokens (n, HW/16² + HW/32², dim): stride 16 first, row-major."""
        f = self.image_encoder(rgb.contiguous(memory_format=torch.channels_last))
        near = torch.cat((f.s16, F.pixel_unshuffle(f.s8, 2), F.pixel_unshuffle(f.s4, 4)), dim=1)  # (n, C, H/16, W/16)
        near_tokens = self.near_in(near.flatten(2).mT) + self.kind[1]
        return torch.cat((near_tokens, self.far_in(f.s32.flatten(2).mT) + self.kind[2]), dim=1)

    def read(self, prompts: Sequence[str], images: ImageTokens) -> Context:
        """Return the context of `prompts`, one an item, beside the encoded images."""
        tokens, positions = [], []
        for prompt, image_tokens, image_positions in zip(prompts, images.tokens, images.positions, strict=True):
            ids = self._ids(prompt)
            tokens.append(torch.cat((self.word_in(self.words(ids)) + self.kind[0], image_tokens)))
            places = word_positions(len(ids), self.config.rope_canvas).to(image_positions.device)
            positions.append(torch.cat((places, image_positions)))
        padded, mask = pad(tokens)
        return Context(padded, mask, pad(positions)[0])

    def relevance_of(self, picture: Tensor, words: str) -> Tensor:
        """Return logits (H/16, W/16) of how relevant each place of RGBA (4, H, W) in [0, 1] is to `words`.

        They are the same everywhere if it knows none of them.
        """
        ids = self._ids(words)
        if not ids.numel():
            return torch.zeros(picture.shape[-2] // PATCH, picture.shape[-1] // PATCH)
        found: Tensor = self.relevance(over_white(picture)[None], [self.words(ids)])[0]
        return found

    def _ids(self, text: str) -> Tensor:
        return word_ids(self.tokenizer, text, self.config.max_words).to(self.kind.device)


def word_ids(tokenizer: Tokenizer, text: str, most: int = MAX_WORDS) -> Tensor:
    """Return the word pieces of a text, int64 (L,), the first `most` of them."""
    return torch.tensor(tokenizer.encode(text, add_special_tokens=False).ids[:most], dtype=torch.long)


def feature_positions(sizes: tuple[tuple[int, int], ...], rope_canvas: int) -> Tensor:
    """Return (z, y, x) of the feature tokens of one item's images, given their (H, W) in pixels: (L, 3)."""
    patches = tuple((h // PATCH, w // PATCH) for h, w in sizes)
    rows = [torch.zeros(0, 3)]
    for k, (h, w) in enumerate(patches):
        scale = canvas_scale(patches, rope_canvas)
        for stride in (1, 2):  # in patches
            # Centres, on the grid on which patch i stands at i − (h − h // 2).
            y = (torch.arange(h // stride) * stride + (stride - 1) / 2 - (h - h // 2)) * scale
            x = (torch.arange(w // stride) * stride + (stride - 1) / 2 - (w - w // 2)) * scale
            rows.append(torch.cartesian_prod(torch.tensor([-1.0 - k]), y, x))
    return torch.cat(rows)


def word_positions(count: int, rope_canvas: int) -> Tensor:
    """Return (z, y, x) of the words of a prompt, (count, 3): in their layer, on the diagonal past any canvas."""
    diagonal = rope_canvas + torch.arange(count, dtype=torch.float32)
    return torch.stack((torch.full_like(diagonal, WORD_LAYER), diagonal, diagonal), dim=-1)


def load_tokenizer(folder: Path) -> Tokenizer:
    """Return the word pieces of a weights folder. Raises ValueError."""
    path = folder / TOKENIZER_FILE
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library has no class of its own
        raise ValueError(f"{path} is missing or damaged ({error})") from error
