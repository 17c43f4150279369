"""Map where in a picture is what the words name, for the embedded context.

An image classifier says, at every place, which of its classes is there; classes have names, and names are words whose
meanings are near to those of other words. So a place's meaning is that of its classes' names, weighted by how likely
they are (ConSE: Norouzi et al., "Zero-Shot Learning by Convex Combination of Semantic Embeddings", ICLR 2014), and its
relevance to any words is the cosine between the two. Names are only where the training starts.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .image_encoder import Backbone, PointConv, channels_of

CLASSES = 1000
HEAD = 1280  # channels before the classes, as published
ENLARGE = 2  # the classifier finds small objects where they are enlarged
STRIDE = 32


class Relevance(nn.Module):
    """Compare places of a picture with words, by an EfficientNet-Lite0 whose classes are put in the words' space."""

    def __init__(self, word_dim: int):
        super().__init__()
        self.backbone = Backbone()
        self.head = PointConv(channels_of("lite0")[-1], HEAD)
        self.classes = PointConv(HEAD, CLASSES)
        self.meanings = nn.Linear(CLASSES, word_dim, bias=False)
        self.importance = nn.Linear(word_dim, 1)  # of a word among the others
        self.word_meaning = nn.Linear(word_dim, word_dim)
        self.scale = nn.Parameter(torch.tensor([10.0]))
        self.bias = nn.Parameter(torch.tensor([-2.0]))

    def forward(self, rgb: Tensor, words: Sequence[Tensor]) -> Tensor:
        """Return logits (n, h, w) at stride 16 of pictures (n, 3, H, W) in [0, 1] for words (l_i, word_dim) of each."""
        return self.compare(self.locate(rgb), torch.stack([self.mean(w) for w in words])[:, None])[:, 0]

    def locate(self, rgb: Tensor) -> Tensor:
        """Return what is at every place: (n, 3, H, W) → unit vectors (n, word_dim, h, w)."""
        size = [max(STRIDE, round(ENLARGE * side)) for side in rgb.shape[-2:]]
        larger = F.interpolate(rgb, size, mode="bilinear", align_corners=False)
        deep = self.backbone(larger.contiguous(memory_format=torch.channels_last) * 2 - 1)[3]
        return self.interpret(deep)

    def interpret(self, deep: Tensor) -> Tensor:
        """Return the backbone's features at stride 32 (n, 320, h, w) → unit vectors (n, word_dim, h, w)."""
        likely = self.classes(F.relu6(self.head(deep))).float().softmax(1)  # (n, classes, h, w)
        meaning = self.meanings(likely.to(deep.dtype).movedim(1, -1))  # (n, h, w, word_dim)
        return F.normalize(meaning.float(), dim=-1).movedim(-1, 1)

    def mean(self, words: Tensor) -> Tensor:
        """Return what words (l, word_dim) mean together: a unit vector (word_dim,)."""
        weights = self.importance(words).float().softmax(0)  # (l, 1)
        return F.normalize(self.word_meaning((weights.to(words.dtype) * words).sum(0)).float(), dim=0)

    def compare(self, located: Tensor, meant: Tensor) -> Tensor:
        """Return logits (n, m, h, w) of m meanings a picture (n, m, word_dim), beside `located` (n, word_dim, h, w)."""
        return self.scale * torch.einsum("ndhw,nmd->nmhw", located, meant) + self.bias
