"""Finished pictures → files under their final names, journalled."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from ..media import provenance
from ..media.encoders.layer import Layer
from ..media.floats import Floats
from ..media.manifest import write_manifest
from ..media.target import Compression, Target
from ..media.write import complete, naming, write_grey, write_layers, write_picture
from ..picture.prepare import Prepared
from ..plan import Item
from .journal import Fingerprint, Journal


def write(
    item: Item,
    layers: Sequence[Tensor],
    prepared: Prepared,
    alpha_only: bool,
    compression: Compression,
    made_from: Fingerprint,
    journal: Journal,
) -> None:
    """Write the item's layers (4, H, W), straight RGBA as `prepared.target` encodes it, to its files: all of them, or
    none. Raises ItemError.
    """
    told = provenance.record(
        made_from.task, made_from.settings, made_from.weights, [seal.sha256 for seal in made_from.inputs]
    )
    target = replace(prepared.target, compression=compression, provenance=told)
    pictures = [layer.permute(1, 2, 0).contiguous().numpy() for layer in layers]  # (H, W, 4) each
    temporaries: list[Path] = []
    try:
        for path in item.files:
            with naming(path):
                temporaries.append(journal.temporary(path))
        for temporary, path in zip(temporaries, item.outputs, strict=False):
            with complete(temporary, path):
                if len(item.outputs) < len(layers):
                    names = _distinct(item.task.outputs)
                    write_layers(temporary, [Layer(*layer) for layer in zip(names, pictures, strict=True)], target)
                else:
                    _write_picture(temporary, pictures[item.outputs.index(path)], prepared, alpha_only, target)
                provenance.seal(temporary)
        if item.manifest:
            with complete(temporaries[-1], item.manifest):
                _describe(temporaries[-1], item, layers[0], made_from, told)
                provenance.seal(temporaries[-1])
        journal.commit(item, made_from, temporaries)
    finally:
        for temporary in temporaries:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def _distinct(names: Sequence[str]) -> list[str]:
    """Return names of layers of which no two are the same: `foreground`, `foreground_2`."""
    counts = [names[: i + 1].count(name) for i, name in enumerate(names)]
    return [name if count == 1 else f"{name}_{count}" for name, count in zip(names, counts, strict=True)]


def _write_picture(path: Path, rgba: Floats, prepared: Prepared, alpha_only: bool, target: Target) -> None:
    if alpha_only:
        write_grey(path, rgba[..., 3], target)
    else:
        light = prepared.light
        write_picture(path, rgba, target, None if light is None else light.numpy())


def _describe(path: Path, item: Item, layer: Tensor, made_from: Fingerprint, told: provenance.Record) -> None:
    origin = {
        "task": item.task.name,
        "source": item.label.name,
        "seed": made_from.settings["seed"],
        "weights": made_from.weights,
        **provenance.named(told),
    }
    names = [output.name for output in item.outputs]
    write_manifest(path, names, item.task.outputs, (layer.shape[1], layer.shape[2]), origin)
