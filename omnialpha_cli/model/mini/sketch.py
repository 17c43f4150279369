"""Sketch what words look like on average: a blurred picture, of pictures whose names mean something alike.

Kernel ridge regression from the mean of a prompt's words to latents (Saunders et al. 1998): exact, without steps, and
on names that it has not seen a fifth nearer to the truth than the mean of all pictures. A transformer that is
given the words themselves learns by heart what each name looks like, and does worse on others than such an average.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

from ..positions import Layout
from ..transformer import pack
from .context import word_ids

SHARPNESS = 1.5  # of the kernel: exp(−SHARPNESS · squared distance of unit vectors)
# How like what words mean has to be to a known name, a cosine, to be drawn as that: a chicken (.51) is a poultry leg,
# an elephant (.49) a gorilla; but a penguin (.40) would be an octopus. A word that is read in pieces, and is no part of
# the name, says little by them: an antelope (.55) is an ant, a made-up asdf (.52) would be a woman with headscarf.
NEAR, NEAR_IN_PIECES = 0.43, 0.54
DECIDED = 120.0  # of cosines: how much likelier the more similar of two names is what is meant
BEFORE = "Generate a transparent-background RGBA image."  # what the task of an object says before its words
BEHIND = "Generate a background without objects."  # and that of a background
SILENT = ("a", "an", "the")  # say nothing of what a thing looks like
HEAD = 1.2  # of the word that names the thing, where the others count 1: a blue car is a car first
# What follows the thing that is meant: where it is, or something else.
PLACES = ("in", "on", "at", "from", "by", "under", "over", "behind", "before", "above", "below", "near", "beside",
          "against")  # fmt: skip
AFTER = ("with", "without", "and", "for", "to", *PLACES)


@dataclass(frozen=True)
class Drawing:
    """Tell which known name words are drawn as, whether it is near to them, and whether it is what they say."""

    name: str
    is_near: bool
    is_asked: bool


class Sketch(nn.Module):
    """Read prompts. The table of words (vocabulary, D) is another's, and not part of its state.

    Of `names` known pictures it has their names' meanings (names, D), unit vectors, the same of names and tags together
    (`tagged`), and what each adds to the latents (names, C·h·w) of `size` (h, w); of what is like none of them it makes
    the `mean` (C·h·w).
    """

    table: Tensor

    def __init__(self, names: int, channels: int, size: tuple[int, int], tokenizer: Tokenizer, table: Tensor):
        super().__init__()
        self.shape, self.tokenizer = (channels, *size), tokenizer
        values = math.prod(self.shape)
        self.register_buffer("table", table.detach(), persistent=False)
        self.meanings = nn.Parameter(torch.zeros(names, table.shape[1]), requires_grad=False)
        self.tagged = nn.Parameter(torch.zeros(names, table.shape[1]), requires_grad=False)
        self.weights = nn.Parameter(torch.zeros(names, values), requires_grad=False)
        self.mean = nn.Parameter(torch.zeros(values), requires_grad=False)

    def read(self, prompts: Sequence[str], head: float = 1.0) -> Tensor:
        """Return what prompts mean (B, D), as `read`."""
        return read(prompts, self.tokenizer, self.table, head)

    def likeness(self, prompts: Sequence[str]) -> Tensor:
        """Return how like what prompts mean is to the most similar known name with its tags, a cosine (B,)."""
        return (self.read(prompts, HEAD) @ self.tagged.float().mT).amax(1)

    def closest(self, prompt: str, names: Sequence[str]) -> Drawing:
        """Return which of its `names` a prompt is drawn as."""
        likeness, place = (self.read([prompt], HEAD) @ self.tagged.float().mT)[0].max(0)
        name = names[int(place)]
        words, head = _words(_own(prompt)), _words(around_head(_own(prompt))[1])
        in_pieces = any(len(word_ids(self.tokenizer, word)) > 1 for word in head - _words(name))
        is_asked = words <= _words(name) and head <= _words(around_head(name)[1])
        return Drawing(name, bool(likeness >= (NEAR_IN_PIECES if in_pieces else NEAR)), is_asked)

    def nearness(self, meanings: Tensor) -> Tensor:
        """Return the kernel of meanings (B, D) and the known ones: (B, names), 0 for the empty prompt."""
        cosine = meanings @ self.meanings.float().mT
        return torch.exp(2 * SHARPNESS * (cosine - 1)) * meanings.any(1, keepdim=True)

    def settle(self, meanings: Tensor) -> Tensor:
        """Return meanings (B, D) as those of the known names most like them, not of all a little so; 0 stays 0."""
        likely = (DECIDED * meanings @ self.tagged.float().mT).softmax(1)  # (B, names)
        return F.normalize(likely @ self.meanings.float(), dim=1) * meanings.any(1, keepdim=True)

    def forward(self, prompts: Sequence[str]) -> Tensor:
        """Return latents (B, C, h, w), float32."""
        latents = self.mean.float() + self.nearness(self.settle(self.read(prompts, HEAD))) @ self.weights.float()
        return latents.unflatten(1, self.shape)


def read(prompts: Sequence[str], tokenizer: Tokenizer, table: Tensor, head: float = 1.0) -> Tensor:
    """Return what prompts mean: the direction (B, D) of the mean of their words' in the `table` (vocabulary, D).

    It is 0 where there are none. The word that names the thing counts as much as `head` others.
    """
    silent = {i for word in SILENT for i in word_ids(tokenizer, word).tolist()}
    words = [
        (place, i, weight)
        for place, prompt in enumerate(prompts)
        for part, weight in zip(around_head(_own(prompt)), (1.0, head, 1.0), strict=True)
        for i in word_ids(tokenizer, part).tolist()
        if i not in silent
    ]
    places, ids = (torch.tensor([word[k] for word in words], dtype=torch.long, device=table.device) for k in (0, 1))
    weights = torch.tensor([weight for *_, weight in words], device=table.device)[:, None]
    sums = torch.zeros(len(prompts), table.shape[1], device=table.device)
    return F.normalize(sums.index_add(0, places, weights * F.normalize(table[ids].float(), dim=1)), dim=1)


def _own(prompt: str) -> str:
    """Return what the user says of it."""
    return prompt.removeprefix(BEFORE).removeprefix(BEHIND)


def _words(text: str) -> set[str]:
    return set(re.findall(r"[^\W_]+", text.lower())) - {*SILENT, *AFTER}


def around_head(prompt: str) -> tuple[str, str, str]:
    """Split an English phrase before, at and after the word that names the thing.

    That is the last one before "with", a comma, …
    """
    words = prompt.split()
    ends = (i for i in range(1, len(words)) if words[i].lower() in AFTER or words[i - 1].endswith(","))
    end = next(ends, len(words))
    return " ".join(words[: end - 1]), " ".join(words[end - 1 : end]), " ".join(words[end:])


def fitted(latents: Tensor, layout: Layout, patch: int) -> Tensor:
    """Return latents (B, C, h, w), at every target's own size, as tokens (B, N_targets, C·p²)."""
    sizes = [(h * patch, w * patch) for h, w in layout.targets]
    return torch.cat([pack(F.interpolate(latents, size, mode="bilinear"), patch) for size in sizes], dim=1)


def cut(latents: Tensor, aspect: float) -> Tensor:
    """Return the middle of latents (B, C, h, w), as much as there is of a height of `aspect` widths."""
    h, w = latents.shape[2:]
    height, width = min(h, max(1, round(w * aspect))), min(w, max(1, round(h / aspect)))
    top, left = (h - height) // 2, (w - width) // 2
    return latents[:, :, top : top + height, left : left + width]
