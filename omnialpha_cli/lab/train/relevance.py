"""Train the words' relevance: from the classifier's names to maps of where the named object is.

A scene shows two objects, and each is named in turn. The network learns to read names: it leads the words by which
people name objects to those of the classifier's classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

from ...model.mini.relevance import CLASSES, Relevance
from ...status import UsageError
from .fold import fold_head, fold_published
from .image_encoder import CanvasOf
from .loop import Objective, Schedule
from .material import Material, photo_of_shape
from .triplets import draw_pair

MATCH = 0.3  # weight of the map beside that of the choice


def named_classes(
    published: Mapping[str, Tensor], names: Sequence[str], tokenizer: Tokenizer, table: Tensor
) -> Relevance:
    """Return the relevance before its training: the `published` classifier, its classes meaning what their `names` say.

    `table` (vocabulary, word_dim) is the word table of the `tokenizer`.
    """
    if len(names) != CLASSES:
        raise UsageError(f"{len(names)} names of classes were given, and the classifier has {CLASSES}")
    relevance = Relevance(table.shape[1])
    relevance.backbone.load_state_dict(fold_published(published))
    weight, bias = fold_head(published)
    relevance.head.load_state_dict({"weight": weight, "bias": bias})
    relevance.classes.load_state_dict(
        {"weight": published["_fc.weight"][..., None, None], "bias": published["_fc.bias"]}
    )
    means = torch.stack([table[word_ids(tokenizer, name)].mean(0) for name in names])  # (classes, word_dim)
    centre = means.mean(0)  # what all names have in common tells nothing
    relevance.meanings.weight.data.copy_(F.normalize(means - centre, dim=1).T)
    nn.init.eye_(relevance.word_meaning.weight)
    relevance.word_meaning.bias.data.copy_(-centre)
    nn.init.zeros_(relevance.importance.weight)
    return relevance


def word_ids(tokenizer: Tokenizer, words: str) -> Tensor:
    """Return their rows in the word table, one at least."""
    return torch.tensor(tokenizer.encode(words, add_special_tokens=False).ids or [0])


@dataclass(frozen=True)
class Batch:
    """Hold scenes (B, 3, h, w), the words of their two names (l, word_dim), and what the two cover (B, 2, h, w)."""

    scenes: Tensor
    words: list[tuple[Tensor, Tensor]]
    alphas: Tensor


def objective(
    material: Material, tokenizer: Tokenizer, table: Tensor, schedule: Schedule, canvas: CanvasOf, device: torch.device
) -> Objective:
    """Return what `loop.train` optimises: a name's map has to be its object's alpha, more relevant than another's."""

    def draw(step: int, micro: int, g: torch.Generator) -> Batch:
        size = canvas(*photo_of_shape(material, g), schedule.size)
        pairs = [draw_pair(material, size, g) for _ in range(schedule.micro_batch)]
        one, other = ([table[word_ids(tokenizer, pair.labels[i])] for pair in pairs] for i in (0, 1))
        return Batch(
            torch.stack([pair.scene for pair in pairs]),
            list(zip(one, other, strict=True)),
            torch.stack([pair.alphas for pair in pairs]),
        )

    def ready(drawn: Batch) -> Batch:
        words = [(one.to(device), other.to(device)) for one, other in drawn.words]
        return Batch(drawn.scenes.to(device), words, drawn.alphas.to(device))

    def loss(model: nn.Module, batch: Batch, term: int) -> tuple[Tensor, dict[str, float]]:
        assert isinstance(model, Relevance)
        with torch.no_grad():
            located = model.locate(batch.scenes)
        meant = torch.stack([torch.stack([model.mean(words) for words in names]) for names in batch.words])
        logits = model.compare(located, meant)  # (B, 2, h, w): for the name of each
        there = F.interpolate(batch.alphas, logits.shape[-2:], mode="area")
        # Mean logits for a name (its first index) on an object (its second): (B, 2, 2)
        found = torch.einsum("bnhw,bmhw->bnm", logits, there) / there.sum((2, 3)).clamp(min=1e-3)[:, None]
        own = found.diagonal(dim1=1, dim2=2)  # (B, 2)
        other = found.flip(2).diagonal(dim1=1, dim2=2)
        choice = F.softplus(other - own).mean()
        match = F.binary_cross_entropy_with_logits(logits, there)
        right = (own > other).float().mean()
        figures = {"choice": choice, "match": match, "right": right}
        return choice + MATCH * match, {name: float(figure.detach()) for name, figure in figures.items()}

    return Objective(draw, loss, ready=ready)


def train_words_alone(relevance: Relevance) -> None:
    """Freeze the image network: there are too few names to teach it, and it would forget the classes it knows."""
    relevance.requires_grad_(False)
    for part in (relevance.word_meaning, relevance.importance):
        part.requires_grad_(True)
    relevance.scale.requires_grad_(True)
    relevance.bias.requires_grad_(True)
