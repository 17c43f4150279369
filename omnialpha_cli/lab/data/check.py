"""Check that a data set is what its schema says."""

from collections.abc import Iterator
from pathlib import Path

from ...status import ItemError
from . import admission
from .shards import FIELDS, MODES, REQUIRED, Sample, Shards


def check_all(path: Path) -> Iterator[tuple[str, str | None]]:
    """Yield the name of every sample and what is wrong with it, or None."""
    shards = Shards(path)
    for number in range(len(shards)):
        try:
            yield shards.name(number), fault_of(shards, number)
        except ItemError as error:
            yield shards.name(number), str(error)


def fault_of(shards: Shards, number: int) -> str | None:
    """Return what is wrong with a sample, in a few words."""
    record = shards.record(number)
    if missing := sorted(set(FIELDS) - set(record)):
        return f"its record lacks {', '.join(missing)}"
    sample = shards.read(number)
    wanted = set(REQUIRED) | (set() if sample.kind == "photo" else {"background"})
    if missing := sorted(wanted - set(sample.pictures)):
        return f"lacks {', '.join(missing)}"
    w, h = record["size"]
    for name, picture in sample.pictures.items():
        channels = {"RGBA": (4,), "RGB": (3,), "L": ()}[MODES[name]]
        if picture.shape != (h, w, *channels):
            return f"{name} is {picture.shape}, not {(h, w, *channels)}"
    return _fault_of_pixels(sample)


def _fault_of_pixels(sample: Sample) -> str | None:
    foreground, scene = sample.pictures["foreground"], sample.pictures["scene"]
    background, effects = sample.pictures.get("background"), sample.pictures.get("effects")
    if sample.kind == "pair":
        assert background is not None
        effect = None if effects is None else effects[..., 3] > 127
        return admission.fault_of_pair(foreground[..., 3] > 127, effect, background, scene)
    return admission.fault(foreground, effects, background, scene)
