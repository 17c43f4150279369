"""Training of the words' relevance: from the classifier's names to maps of where the named object is.

Objects are seen one or two a picture, and each picture is asked for its own object and for those of all others of the
batch: what is not there is nowhere. The classifier's backbone is frozen.
"""

from collections.abc import Mapping, Sequence

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

from ..model.context.image_encoder import fold_head, fold_published
from ..model.context.relevance import CLASSES, Relevance
from ..status import UsageError
from .examples import Material, Mix, Triplet, draw_triplet, photo_of_shape
from .image_encoder import CanvasOf
from .loop import Loss, Schedule

MIX = Mix(photo=0.2, recomposed=0.3, cutout=0.5, two=0.7)
ABSENT = 0.5  # weight of all objects that are not there, together


def named_classes(
    published: Mapping[str, Tensor], names: Sequence[str], tokenizer: Tokenizer, table: Tensor
) -> Relevance:
    """The relevance before its training: the `published` classifier, its classes meaning what their `names` say.

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
    """Their rows in the word table, one at least."""
    return torch.tensor(tokenizer.encode(words, add_special_tokens=False).ids or [0])


def make_loss(material: Material, tokenizer: Tokenizer, table: Tensor, schedule: Schedule, canvas: CanvasOf) -> Loss:
    """The loss of one step, for `loop.train`."""

    def draw(size: tuple[int, int], g: torch.Generator) -> Triplet:
        while True:
            triplet = draw_triplet(material, MIX, size, g)
            if triplet.label:
                return triplet

    def loss(model: nn.Module, step: int, g: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        assert isinstance(model, Relevance)
        model.backbone.requires_grad_(False)
        size = canvas(*photo_of_shape(material, g), schedule.size)
        triplets = [draw(size, g) for _ in range(schedule.batch)]
        seen = model.see(torch.stack([t.scene for t in triplets]))
        meant = torch.stack([model.mean(table[word_ids(tokenizer, t.label)]) for t in triplets])
        logits = model.compare(seen, meant[None].expand(len(triplets), -1, -1))  # (B, B, h, w): picture by words
        alpha = torch.stack([t.foreground[3] for t in triplets])[:, None]
        there = F.interpolate(alpha, logits.shape[-2:], mode="area")[:, 0]  # (B, h, w)
        own = torch.eye(len(triplets), dtype=torch.bool)
        same = torch.tensor([[a.label == b.label for b in triplets] for a in triplets])
        present = F.binary_cross_entropy_with_logits(logits[own], there)
        absent = F.softplus(logits[~same]).mean()
        return (1 - ABSENT) * present + ABSENT * absent, {
            "present": float(present.detach()),
            "absent": float(absent.detach()),
        }

    return loss
