"""Of the objects in a matte, the one that is meant."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .components import connected_parts

SOLID = 0.5  # alpha from which on a pixel is of an object
SEEN = 0.02  # alpha from which on it may belong to the object beside it
BRIDGE = 0.02  # of the mean side: what joins two objects is narrower than twice this, or they are one
SMALLEST = 2e-3  # share of the picture that is an object, without its rim


def choose_object(alpha: Tensor, relevance: Tensor) -> Tensor:
    """The `alpha` (h, w) of the object that a coarser map of `relevance` says is the most relevant; 0 elsewhere.

    All of it where nothing is large enough to be an object.
    """
    objects = _objects(alpha)
    count = int(objects.max()) + 1
    if count == 1:
        return alpha
    places = F.interpolate(relevance[None, None].to(alpha), alpha.shape, mode="bilinear")[0, 0]
    weight, total = (
        torch.zeros(count).to(alpha).index_add_(0, objects.flatten(), values.flatten())
        for values in (alpha, alpha * places)
    )
    mean = torch.where(weight > 0, total / weight.clamp(min=1e-6), -torch.inf)
    mean[0] = -torch.inf  # outside of all
    return alpha * (objects == mean.argmax())


def _objects(alpha: Tensor) -> Tensor:
    """Numbers (h, w) of the objects in `alpha` (h, w), from 1; 0 outside of all."""
    reach = round(BRIDGE * alpha.numel() ** 0.5)
    gone = F.max_pool2d((alpha <= SOLID).float()[None], 2 * reach + 1, 1, reach)[0] > 0
    parts = torch.from_numpy(connected_parts((~gone).cpu().numpy())).to(alpha.device)
    large = torch.bincount(parts.flatten()) >= SMALLEST * alpha.numel()
    parts = torch.where(large[parts], parts, 0).float()
    for _ in range(max(alpha.shape)):  # grown back, each up to where another begins
        grown = torch.where((parts == 0) & (alpha > SEEN), F.max_pool2d(parts[None], 3, 1, 1)[0], parts)
        if torch.equal(grown, parts):
            break
        parts = grown
    return parts.long()
