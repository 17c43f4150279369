"""Judge a model on held-out material: each function yields one judged picture after another."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...api import OmniAlpha
from ...imaging.canvas import choose_canvas
from ...imaging.hint import BACKGROUND
from ...model import omnialpha
from ...status import ItemError
from ..train.packs import Picture
from . import metrics
from .baselines import Fill, grow
from .generation import Generation, Load
from .judge import Distance, Judged, judge_layers, judge_matte, judge_reference, judge_removal, score_removal
from .material import Scene, composites, make_hint, pairs
from .reconstruction import judge_reconstruction

Floats = NDArray[np.float32]
Hint = Literal["none", "trimap", "mask", "rough-mask"]


HINTS: tuple[Hint, ...] = get_args(Hint)
HOLE_MARGIN = 2  # pixels around the object that the baselines fill as well


def matting(model: OmniAlpha, photos: Sequence[Picture], hint: Hint, canvas: int | None) -> Iterator[Judged]:
    """Judge a model's mattes of photographs."""
    for photo in photos:
        rgb, alpha = photo.rgba[..., :3], photo.rgba[..., 3]
        found = model.matte(rgb, canvas=canvas, **_hint(hint, photo.name, alpha))
        known = _floats(alpha)
        # A hard mask says nothing of what is soft.
        trimap = _floats(make_hint("trimap", photo.name, alpha)) if photo.weights is None else None
        judged = judge_matte(photo.name, _floats(rgb), _floats(found), known, trimap, photo.weights)
        empty = np.zeros_like(known)
        nothing = {"mse": metrics.mse(empty, known), "mad": metrics.mad(empty, known), "sad": metrics.sad(empty, known)}
        yield replace(judged, baselines={"empty": nothing}, source=photo.source)


def removal(
    model: OmniAlpha,
    photos: Sequence[Picture],
    hint: Hint,
    canvas: int | None,
    distance: Distance,
    fills: dict[str, Fill],
    *,
    effects: bool = False,
    backdrops: Sequence[Picture] = (),
) -> Iterator[Judged]:
    """Judge objects taken out of composites, over `backdrops` where given, with their `effects` if that is asked for.

    The baselines `fills` know exactly where the object is, at any hint.
    """
    for scene in composites(photos, in_focus=hint != "none", backdrops=backdrops):
        found = _floats(model.remove(scene.scene, canvas=canvas, effects=effects, **_scene_hint(hint, scene)))
        known, mask = _floats(scene.background), scene.foreground[..., 3] > round(255 * BACKGROUND)
        shown = _floats(scene.scene)
        judged = judge_removal(scene.name, shown, found, known, mask, distance)
        filled = {name: _floats(fill(scene.scene, grow(mask, HOLE_MARGIN))) for name, fill in fills.items()}
        baselines = {name: score_removal(picture, known, mask, distance, shown) for name, picture in filled.items()}
        yield replace(judged, baselines=baselines)


def decomposition(model: OmniAlpha, photos: Sequence[Picture], hint: Hint, canvas: int | None) -> Iterator[Judged]:
    """Judge the layers that a model takes composites apart into."""
    for scene in composites(photos, in_focus=hint != "none"):
        background, foreground = model.decompose(scene.scene, canvas=canvas, **_scene_hint(hint, scene))
        found, known = (
            (_floats(background), _floats(foreground)),
            (_floats(scene.background), _floats(scene.foreground)),
        )
        yield judge_layers(scene.name, _floats(scene.scene), found, known)


def referring(
    model: OmniAlpha, photos: Sequence[Picture], cutouts: Sequence[Picture], canvas: int | None
) -> Iterator[Judged]:
    """Return two objects beside each other, each named in turn: who does not listen to words is right half the time."""
    for pair in pairs(photos, cutouts):
        scene = _floats(pair.scene)
        for named in (0, 1):
            found = _floats(model.matte(pair.scene, text=pair.labels[named], canvas=canvas))
            alphas = _floats(pair.alphas[named]), _floats(pair.alphas[1 - named])
            yield judge_reference(f"{pair.name}: {pair.labels[named]}", scene, found, *alphas)


def reconstruction(
    model: OmniAlpha,
    pictures: Iterable[tuple[str, Load]],
    canvas: int | None,
    distance: Distance,
    add_pair: Callable[[Floats, Floats], None] | None = None,
) -> Iterator[Judged | ItemError]:
    """Return pictures with alpha through the model's VAE, at the size of its canvas: what is lost is the VAE's alone.

    `add_pair` gets result and truth (H, W, 4) of each, to judge them as sets.
    """
    for name, load in pictures:
        try:
            picture = torch.from_numpy(load()).permute(2, 0, 1)  # (4, H, W)
        except ItemError as error:
            yield error
            continue
        height, width = picture.shape[1:]
        place = choose_canvas(height, width, canvas or model.model.defaults.canvas, model.model.defaults.multiple)
        fitted = place.fit(picture)  # (4, h, w)
        found, known = (place.crop(image).permute(1, 2, 0).contiguous().numpy()
                        for image in (_reconstructed(model.model, fitted), fitted))  # fmt: skip
        if add_pair is not None:
            add_pair(found, known)
        yield judge_reconstruction(name, found, known, distance)


def generation(
    model: OmniAlpha, prompts: Mapping[str, str], judge: Generation, canvas: int | None
) -> Iterator[Judged | ItemError]:
    """Return an object made from each prompt, by names, with a seed of its own."""
    yield from judge.unreadable
    for seed, (name, prompt) in enumerate(prompts.items()):
        yield judge.judge(name, _floats(model.generate(prompt, canvas=canvas, seed=seed)), prompt)


def _hint(hint: Hint, name: str, alpha: NDArray[np.uint8]) -> dict[str, Any]:
    """Return what a command of the model is given; a task that it does not know is judged all the same."""
    known = {} if hint == "none" else {hint.replace("-", "_"): make_hint(hint, name, alpha)}
    return {**known, "untrained": True}


def _scene_hint(hint: Hint, scene: Scene) -> dict[str, Any]:
    return _hint(hint, scene.name, scene.foreground[..., 3])


def load_floats(picture: Picture) -> Load:
    """Return what gives its pixels (H, W, 4) in [0, 1]."""
    return lambda: _floats(picture.rgba)


def _floats(pixels: NDArray[np.uint8]) -> Floats:
    return np.divide(pixels, np.float32(255), dtype=np.float32)


@torch.inference_mode()
def _reconstructed(model: omnialpha.OmniAlpha, rgba: Tensor) -> Tensor:
    """Return RGBA (4, H, W) in [0, 1] as it comes through the VAE, float32 on the CPU."""
    latents = model.vae.encode(rgba[None].to(device=model.device, dtype=model.dtype) * 2 - 1)
    return ((model.vae.decode(latents).float() + 1) / 2).cpu()[0]
