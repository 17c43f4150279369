"""Make one sample of a plan: a photograph or a pair as it is, or a composition, each from a seed of its own."""

import hashlib
from collections import Counter

import numpy as np
import torch

from ...imaging.canvas import to_bytes
from ...imaging.matte.foreground import estimate_foreground
from ...status import ItemError
from ..train.hints import rough_mask, trimap
from . import admission
from .captions import caption, describe
from .plan import Plan, Settings
from .shards import Bytes, Sample
from .sources import Entry, load, load_pair
from .synthesis import Composition, compose

TRIES = 50  # draws for one composed sample


def make_sample(plan: Plan, index: int, faults: Counter[str], unreadable: list[str]) -> Sample | None:
    """Return one sample; None where it is not kept. A composed one is drawn again until it is."""
    photos, pairs = len(plan.photos), len(plan.pairs)
    composed = index >= photos + pairs
    for attempt in range(TRIES if composed else 1):
        g = seeded(plan.settings.seed, index, attempt)
        try:
            if index < photos:
                made = _photo(plan.photos[index], plan.settings, index, g)
            elif not composed:
                made = _pair(plan.pairs[index - photos], plan.settings, index, g)
            else:
                layers = compose(plan.pool, g)
                made = "unsuited" if layers is None else _composed(layers, plan.settings, index, g)
        except ItemError as error:
            unreadable.append(str(error))
            made = error.code
        if isinstance(made, Sample):
            return made
        faults[made] += 1
    return None


def seeded(seed: int, index: int, attempt: int) -> torch.Generator:
    """Return a generator that follows from the run's seed, the sample's number, and how often it was drawn."""
    digest = hashlib.sha256(f"{seed}/{index}/{attempt}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7]))


def hints(alpha: Bytes, g: torch.Generator) -> dict[str, Bytes]:
    """Make trimap, mask and rough mask (H, W) of an alpha (H, W)."""
    soft = torch.from_numpy(alpha.copy())[None].float() / 255
    planes = {"trimap": trimap(soft, g), "mask": (soft > 0.5).float(), "rough-mask": rough_mask(soft, g)}
    return {name: (plane[0] * 255).round().byte().numpy() for name, plane in planes.items()}


def _composed(layers: Composition, settings: Settings, index: int, g: torch.Generator) -> Sample | str:
    foreground, background = to_bytes(layers.foreground), to_bytes(layers.background)
    effects = to_bytes(layers.effects.layer) if layers.effects else None
    scene = (admission.composed(foreground, effects, background) * 255).round().astype(np.uint8)
    fault = admission.fault(foreground, effects, background, scene)
    if fault:
        return fault
    pictures = {"scene": scene, "foreground": foreground, "background": background, **hints(foreground[..., 3], g)}
    return Sample(
        pictures if effects is None else {**pictures, "effects": effects},
        index=index, kind="composed", split=settings.split, label=layers.label, captions=layers.captions,
        others=layers.others, effects=layers.effects.names if layers.effects else (), made=layers.made,
        sources=layers.sources,
    )  # fmt: skip


def _photo(entry: Entry, settings: Settings, index: int, g: torch.Generator) -> Sample | str:
    rgba = load(entry, settings.size).rgba
    scene = np.ascontiguousarray(rgba[..., :3])
    fault = admission.fault(rgba, None, None, scene)
    if fault:
        return fault
    plate = torch.from_numpy(scene).permute(2, 0, 1).float() / 255
    colour = estimate_foreground(plate, torch.from_numpy(rgba[..., 3].copy()).float() / 255)
    foreground = np.dstack((to_bytes(colour), rgba[..., 3]))
    pictures = {"scene": scene, "foreground": foreground, **hints(rgba[..., 3], g)}
    words = caption(entry.label, "", (), ())
    return Sample(
        pictures, index=index, kind="photo", split=settings.split, label=entry.label, captions=words,
        others=("",) if entry.others else (), sources={"scene": entry.name},
    )  # fmt: skip


def _pair(entry: Entry, settings: Settings, index: int, g: torch.Generator) -> Sample | str:
    pair = load_pair(entry, settings.size)
    fault = admission.fault_of_pair(pair.mask, pair.effect, pair.background, pair.scene)
    if fault:
        return fault
    alpha = pair.mask.astype(np.uint8) * 255
    pictures = {"scene": pair.scene, "background": pair.background, "foreground": np.dstack((pair.scene, alpha))}
    if pair.effect is not None:
        pictures["effects"] = np.dstack((pair.scene, (pair.effect & ~pair.mask).astype(np.uint8) * 255))
    behind = describe(torch.from_numpy(pair.background.copy()).permute(2, 0, 1).float() / 255)
    return Sample(
        {**pictures, **hints(alpha, g)}, index=index, kind="pair", split=settings.split, alpha="mask",
        label=entry.label, captions=caption(entry.label, behind, (), ()),
        effects=("any",) if pair.effect is not None else (), sources={"scene": entry.name},
    )  # fmt: skip
