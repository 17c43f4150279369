"""Make ready what trainings draw from: photographs, subjects to be put elsewhere, cut-outs and backgrounds."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.nn import functional as F

from ..data.shards import Shards
from .augment import choice, extend_colours
from .packs import Packs, Picture


@dataclass(frozen=True)
class Material:
    """Hold packs made ready: `foregrounds` are the photographs with their subject's colours extended past its edge."""

    photos: list[Picture]
    foregrounds: list[Picture]
    cutouts: list[Picture]
    backgrounds: list[Picture]
    triplets: Shards | None = None

    def words(self) -> set[str]:
        """Return all labels and captions."""
        records = [self.triplets.record(i) for i in range(len(self.triplets))] if self.triplets else []
        described = {words for r in records for words in (r["label"], *r["captions"].values())}
        return described | {p.label for p in (*self.photos, *self.cutouts)}


def make_material(packs: Packs, triplets: Shards | None = None) -> Material:
    """Extend colours once, so that foregrounds bring no edge of their old background.

    Masks that people drew become a pixel smaller, and soft, before their subjects are put over something else. Those
    that leave a part open serve in their own photograph alone.
    """
    whole = [_softened(p) for p in packs.photos if not _is_open(p)]
    subjects = [replace(p, rgba=subject) for p in whole if (subject := crop_to_subject(p.rgba)) is not None]
    with ThreadPoolExecutor() as pool:

        def extended(pictures: list[Picture], solid: float) -> list[Picture]:
            return list(pool.map(lambda p: replace(p, rgba=extend_colours(p.rgba, solid)), pictures))

        foregrounds, cutouts = extended(subjects, 0.97), extended(packs.cutouts, 0.3)
    return Material(packs.photos, foregrounds, cutouts, packs.backgrounds, triplets)


def _softened(picture: Picture) -> Picture:
    """Return a picture whose hard mask became a pixel smaller, and two pixels soft; any other as it is."""
    if picture.weights is None:
        return picture
    alpha = torch.from_numpy(picture.rgba[..., 3].astype(np.float32))[None, None]  # (1, 1, H, W)
    shrunk = -F.max_pool2d(-alpha, 3, 1, 1)
    soft = F.avg_pool2d(shrunk, 3, 1, 1, count_include_pad=False)[0, 0].round().byte().numpy()
    return replace(picture, rgba=np.dstack((picture.rgba[..., :3], soft)), weights=None)


def _is_open(picture: Picture) -> bool:
    """Tell whether a mask leaves a part open, not only pixels of its outline."""
    if picture.weights is None:
        return False
    unlabelled = torch.from_numpy(picture.weights == 0)[None, None].float()
    return bool((-F.max_pool2d(-unlabelled, 3, 1) > 0).any())


def crop_to_subject(rgba: np.ndarray) -> np.ndarray | None:
    """Crop a picture to its subject; None when there is little of one, or the frame cuts it on several sides."""
    alpha = rgba[..., 3] > 25
    edges = (alpha[0].mean(), alpha[-1].mean(), alpha[:, 0].mean(), alpha[:, -1].mean())
    if not 0.02 < alpha.mean() < 0.85 or sum(e > 0.02 for e in edges) > 1:
        return None
    rows, columns = np.flatnonzero(alpha.any(1)), np.flatnonzero(alpha.any(0))
    return rgba[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def photo_of_shape(material: Material, g: torch.Generator) -> tuple[int, int]:
    """Return (H, W) of one random photograph or triplet: canvases are drawn as photographs come."""
    if not material.photos and material.triplets is not None:
        w, h = material.triplets.record(choice(g, len(material.triplets)))["size"]
        return h, w
    h, w = material.photos[choice(g, len(material.photos))].rgba.shape[:2]
    return h, w
