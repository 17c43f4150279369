"""Picture files for tests, written and read by OpenImageIO on its own, and what a refusal has to be like."""

from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest

from omnialpha_cli.media.image import Typed
from omnialpha_cli.media.read import read_image
from omnialpha_cli.status import ItemError


def write_with_oiio(path: Path, samples: np.ndarray, straight: bool) -> None:
    height, width, channels = samples.shape
    spec = oiio.ImageSpec(width, height, channels, samples.dtype.name.replace("float32", "float"))
    if straight:
        spec.attribute("oiio:UnassociatedAlpha", 1)
    writer = oiio.ImageOutput.create(str(path))
    assert writer.open(str(path), spec)
    assert writer.write_image(samples)
    assert writer.close()


def write_exr(path: Path, *parts, windows=(), **attributes) -> Path:
    """Parts are (channel names, samples (h, w, channels)) pairs; windows (x, y, full_w, full_h)."""
    specs = []
    for i, (names, samples) in enumerate(parts):
        height, width, channels = samples.shape
        type = "half" if samples.dtype == np.float16 else "float"
        spec = oiio.ImageSpec(width, height, channels, type)
        spec.channelnames = tuple(names)
        spec.alpha_channel = names.index("A") if "A" in names else -1
        spec.attribute("oiio:subimagename", f"part{i}")
        for name, value in attributes.items():
            given = (oiio.TypeDesc(value.type), value.values) if isinstance(value, Typed) else (value,)
            spec.attribute(name.replace("__", ":"), *given)
        if windows:
            spec.x, spec.y, spec.full_width, spec.full_height = windows
            spec.full_x = spec.full_y = 0
        specs.append(spec)
    writer = oiio.ImageOutput.create("openexr")
    assert writer.open(str(path), specs) if len(specs) > 1 else writer.open(str(path), specs[0])
    for i, (_, samples) in enumerate(parts):
        assert not i or writer.open(str(path), specs[i], "AppendSubimage")
        assert writer.write_image(np.ascontiguousarray(samples)), writer.geterror()
    assert writer.close()
    return path


def by_openimageio(path: Path) -> np.ndarray:
    """All channels in the file's own type; alpha unassociated where the file has it so."""
    wanted = oiio.ImageSpec()
    wanted.attribute("oiio:UnassociatedAlpha", 1)
    reader = oiio.ImageInput.open(str(path), wanted)
    assert reader, oiio.geterror()
    return reader.read_image(0, 0, 0, reader.spec().nchannels, reader.spec().format)


def over(layers: list[np.ndarray]) -> np.ndarray:
    """Straight layers, bottom first, over one another, by the definition."""
    result = layers[0][..., :3].astype(float)
    for layer in layers[1:]:
        result = layer[..., 3:] * layer[..., :3] + (1 - layer[..., 3:]) * result
    return result


def assert_refused(path: Path, code: str, words: str) -> None:
    with pytest.raises(ItemError, match=words) as refusal:
        read_image(path)
    assert refusal.value.code == code
    message = str(refusal.value)
    assert str(path) in message
    assert "\n" not in message
