"""Put layers, of files or in memory, together to one picture again. Needs neither torch nor weights."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import numpy as np

from .media import provenance
from .media.colour import convert
from .media.formats import MANIFEST
from .media.image import Image, from_array, on_display
from .media.layered import placed, read_layers, untrimmed
from .media.opening import NO_LAYERS, check_size, decoding
from .media.read import read_image
from .media.samples import WHITE, Floats, flatten, premultiplied, to_samples
from .media.signatures import recognise
from .status import ItemError

LAYERS_TAG = 37724  # of Photoshop, in TIFF
ONE_LAYER = ("matte", "remove", "generate", "complete")  # commands whose results have no more
FORMATS = {"OpenEXR": "exr", "TIFF": "tiff", "PSD": "psd"}


def compose(layers: Sequence[Any], over: Any = None) -> Floats:
    """Return layers, bottom first, one over the other as straight RGBA (H, W, 4), float32 with white at 1.

    A layer is an `Image`, an array (H, W, 3 or 4) or a PIL image, all of one size and encoded alike, which is where
    they are blended. `over` is a plate to put them on; where there are several layers, it takes the place of a bottom
    one that is opaque all over. Raises `ItemError`.
    """
    pictures = [_rgba(layer) for layer in layers]
    if over is not None:
        is_scene = len(pictures) > 1 and bool((pictures[0][..., 3] == 1).all())
        pictures = [_rgba(over), *pictures[is_scene:]]
    sizes = {f"{picture.shape[1]}×{picture.shape[0]}": None for picture in pictures}
    if len(sizes) != 1:
        raise ItemError("unsupported", f"layers and plate must have one size, but they have {', '.join(sizes)}")
    return flatten(pictures)


def _rgba(picture: Any) -> Floats:
    with decoding(Path("a layer"), "{path} cannot be read: {reason}"):  # PIL decodes as it is asked for pixels
        image = picture if isinstance(picture, Image) else from_array(picture)
    alpha = np.ones(image.size, np.float32) if image.alpha is None else image.alpha
    return np.concatenate((image.rgb, alpha[..., None]), -1)


def read_result(path: Path) -> tuple[list[Image], str]:
    """Read the layers of a result, bottom first, and the name of the format that one picture of them is for.

    A result is a folder with `layers.json`, that file, a file with layers, or a picture (one layer). Raises
    `ItemError`.
    """
    if path.is_dir() or path.name == MANIFEST:
        layers = _of_folder(path / MANIFEST if path.is_dir() else path)
        return layers, "exr" if layers[0].depth in ("half", "float") else "png"
    try:
        if is_zipfile(path):
            return list(read_layers(path, "ora")), "png"
        format = FORMATS.get(recognise(path), "")
        # Other channels and parts of its source may be in a matte, but are no layers of it.
        made = provenance.read(path)
    except OSError as error:
        raise ItemError("unreadable", f"{path} cannot be read: {error.strerror or error}") from error
    is_flat = made is not None and not _has_layers(made) and format != "psd"
    if format == "tiff" and not is_flat:
        kind = _kind_of_tiff(path)
        return (list(read_layers(path, kind)) if kind else [read_image(path)]), "tiff"
    if not format or is_flat:
        return [untrimmed(read_image(path, overscan=True), made)], format or "png"
    return list(read_layers(path, format, overscan=True)), "exr" if format == "exr" else "png"


def _has_layers(made: provenance.Record) -> bool:
    command, settings = made["task"].partition(".")[0], json.loads(made["settings"])
    keeps_shadow = command == "matte" and settings.get("effects") and not settings.get("flatten")
    return command not in ONE_LAYER or keeps_shadow


def _kind_of_tiff(path: Path) -> str | None:
    import tifffile

    with decoding(path, NO_LAYERS), tifffile.TiffFile(path) as file:
        return "tiff" if LAYERS_TAG in file.pages.first.tags else "tiff-pages" if len(file.pages) > 1 else None


def _of_folder(manifest: Path) -> list[Image]:
    try:
        content = json.loads(manifest.read_text(encoding="utf-8"))
        size = int(content["height"]), int(content["width"])
        entries = [(str(one["file"]), tuple(map(int, one.get("offset", (0, 0)))), str(one.get("blend", "normal")))
                   for one in content["layers"]]  # fmt: skip
        offsets = [(left, top) for _, (left, top), _ in entries]
    except OSError as error:
        advice = "name results themselves, such as decompose/*"
        raise ItemError("missing", f"{manifest} cannot be read ({error.strerror or error}): {advice}") from error
    except Exception as error:  # of JSON in any form, and numbers of any size
        raise ItemError("unreadable", f"{manifest} does not describe layers: {error!r}; make it again") from error
    if not entries or {blend for *_, blend in entries} != {"normal"}:
        raise ItemError("unsupported", f"{manifest} must have layers, all with the blend normal")
    check_size(manifest, size[1], size[0])
    images = (read_image(manifest.parent / file) for file, *_ in entries)
    return [placed(image, left, top, size) for image, (left, top) in zip(images, offsets, strict=True)]


def encoded_like(picture: Image, layer: Image) -> Image:
    """Return a plate or source on its display window, its colours encoded as those of a layer."""
    shown = on_display(picture)
    if shown.encoding == layer.encoding:
        return shown
    return replace(shown, rgb=convert(shown.rgb, shown.encoding, layer.encoding), encoding=layer.encoding)


def miss(rgba: Floats, source: Image, layer: Image) -> float:
    """Return by how much a composite (H, W, 4), as a file of the layer's depth holds it, misses its source at most.

    White is 1; above it the miss is relative to the source, as the steps of floats are. Raises `ItemError`.
    """
    like = encoded_like(source, layer)
    if rgba.shape[:2] != like.size:
        ours, theirs = (f"{width}×{height}" for height, width in (rgba.shape[:2], like.size))
        raise ItemError("unsupported", f"the layers have {ours} pixels, but their source {source.path} {theirs}")
    white = WHITE[layer.depth]
    rgb = premultiplied(rgba, layer.depth)[..., :3].astype(np.float32) / white
    wanted = to_samples(like.rgb, layer.depth).astype(np.float32) / white
    with np.errstate(invalid="ignore"):
        misses = np.abs(rgb - wanted) / np.maximum(1, np.abs(wanted))
    misses[(rgb == wanted) | (np.isnan(rgb) & np.isnan(wanted))] = 0
    return float(np.nan_to_num(misses, nan=np.inf, posinf=np.inf).max())
