"""Choose, of the objects in a matte, the one that is meant.

What is joined by a narrow bridge is several objects, and what narrows anywhere may be two that touch. A bridge tells
little by itself (a head is joined to its body by a neck), so the wider it is, the more the words have to tell apart
what it joins.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..imaging.canvas import grow
from ..model.mini.segmenter import number_parts

SOLID = 0.5  # alpha from which on a pixel is of an object
FAINT = 0.02  # alpha from which on it may belong to the object beside it
BRIDGES = (0.02, 0.035, 0.05, 0.07, 0.1)  # of the mean side: half of the width of what joins two objects
SMALLEST = 2e-3  # share of the picture that is an object, without its rim
RIVAL = 0.2  # share of the largest object that one beyond a wider bridge has to have
# Objects are kept that are less relevant than the best by no more than this, in deviations of the relevance over the
# picture: beyond the narrowest bridge, and beyond wider ones.
ALIKE, APART = 0.3, 1.5
# The logit of relevance that the best place has to have, or what the words name is not likely to be there: 3 of 77
# held-out photographs have less for their own name, 92 of 100 for another's.
LIKELY = 2.0


def choose_object(alpha: Tensor, relevance: Tensor) -> Tensor:
    """Return the `alpha` (h, w) of the most relevant of its objects, 0 elsewhere.

    `relevance` (k, l) are logits on a coarser grid. Several objects stay where they are about as relevant as each
    other, and all of it where there are no two.
    """
    places = F.interpolate(relevance[None, None].to(alpha), alpha.shape, mode="bilinear")[0, 0]
    deviation = places.std()
    chosen = torch.ones_like(alpha, dtype=torch.bool)
    for bridge in BRIDGES:
        narrowest = bridge == BRIDGES[0]
        objects = _objects(alpha, bridge)
        if objects is None:
            continue
        weight, total = (
            torch.zeros(int(objects.max()) + 1).to(alpha).index_add_(0, objects.flatten(), (values * chosen).flatten())
            for values in (alpha, alpha * places)
        )
        weight[0] = 0  # outside of all
        rivals = weight > (0 if narrowest else RIVAL) * weight.max()
        if rivals.sum() < 2:
            continue
        mean = torch.where(rivals, total / weight.clamp(min=1e-6), -torch.inf)
        kept = mean >= mean.max() - (ALIKE if narrowest else APART) * deviation
        if narrowest:
            chosen &= kept[objects]
        elif not torch.equal(kept, rivals):
            chosen &= kept[objects] | (objects == 0)
    return alpha * chosen


def _objects(alpha: Tensor, bridge: float) -> Tensor | None:
    """Number (h, w) the objects in `alpha` (h, w) that no more than a `bridge` joins, from 1; None without two."""
    reach = round(bridge * alpha.numel() ** 0.5)
    gone = grow(alpha <= SOLID, reach)
    parts = torch.from_numpy(number_parts((~gone).cpu().numpy())).to(alpha.device)
    large = torch.bincount(parts.flatten()) >= SMALLEST * alpha.numel()
    if large[1:].sum() < 2:
        return None
    parts = torch.where(large[parts], parts, 0).float()
    for _ in range(max(alpha.shape)):  # grown back, each up to where another begins
        grown = torch.where((parts == 0) & (alpha > FAINT), grow(parts, 1), parts)
        if torch.equal(grown, parts):
            break
        parts = grown
    return parts.long()
