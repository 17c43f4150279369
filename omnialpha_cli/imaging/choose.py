"""Of the objects in a matte, the one that is meant."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .components import connected_parts

OBJECT = 0.3  # alpha from which on a pixel is of an object
SMALLEST = 1e-3  # share of the picture that is an object


def choose_object(alpha: Tensor, relevance: Tensor) -> Tensor:
    """The `alpha` (h, w) of the part that a coarser map of `relevance` says is the most relevant; 0 elsewhere.

    Parts that touch are one. All of it where nothing is large enough to be an object.
    """
    parts = torch.from_numpy(connected_parts((alpha > OBJECT).cpu().numpy())).to(alpha.device)
    places = F.interpolate(relevance[None, None].to(alpha), alpha.shape, mode="bilinear")[0, 0]
    count = int(parts.max()) + 1
    weight = torch.zeros(count).to(alpha).index_add_(0, parts.flatten(), alpha.flatten())
    total = torch.zeros(count).to(alpha).index_add_(0, parts.flatten(), (alpha * places).flatten())
    size = torch.bincount(parts.flatten(), minlength=count)
    fit = size >= SMALLEST * alpha.numel()
    fit[0] = False  # outside of all
    if not bool(fit.any()):
        return alpha
    mean = torch.where(fit, total / weight.clamp(min=1e-6), -torch.inf)
    return alpha * (parts == mean.argmax())
