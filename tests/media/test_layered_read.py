"""Layers come back as they were written, from every format that keeps them in one file."""

import icc_profiles
import numpy as np
import pytest

from omnialpha_cli.media.colour import LINEAR, SRGB, Encoding
from omnialpha_cli.media.formats import FORMATS
from omnialpha_cli.media.layered import READERS, read_layers
from omnialpha_cli.media.write import Layer, Target, write_layers
from omnialpha_cli.status import ItemError

NAMES = ("background", "foreground", "foreground_2")
STEP = {"8": 1 / 255, "16": 1 / 65535, "half": 2**-9, "float": 1e-5}
CASES = [
    (row.name, depth, parts)
    for row in FORMATS.values()
    if row.several == "file"
    for depth in sorted(set(row.depths.values()))
    for parts in ([False, True] if row.name == "exr" else [False])
]


def layers() -> list[np.ndarray]:
    return list(np.random.default_rng(0).uniform(0.2, 1, (3, 12, 17, 4)).astype(np.float32))


def test_every_format_that_keeps_layers_in_one_file_is_read():
    assert set(READERS) == {row.name for row in FORMATS.values() if row.several == "file"}


@pytest.mark.parametrize(("format", "depth", "parts"), CASES)
@pytest.mark.parametrize("premultiplied", [False, True])
def test_round_trip(tmp_path, format, depth, parts, premultiplied):
    encoding = LINEAR if format == "exr" else SRGB
    target = Target(format, depth, encoding, premultiplied=premultiplied and format.startswith("tiff"), parts=parts)
    write_layers(tmp_path / "x", [Layer(n, p) for n, p in zip(NAMES, layers(), strict=True)], target)
    found = list(read_layers(tmp_path / "x", format))
    assert len(found) == 3
    for image, pixels in zip(found, layers(), strict=True):
        assert image.encoding.is_linear == (format == "exr")
        np.testing.assert_allclose(image.alpha, pixels[..., 3], atol=STEP[depth])
        np.testing.assert_allclose(image.rgb, pixels[..., :3], atol=6 * STEP[depth])


@pytest.mark.parametrize("format", ["ora", "psd", "tiff", "tiff-pages"])
def test_their_profile_comes_along(tmp_path, format):
    target = Target(format, "8", Encoding(icc=icc_profiles.display_p3()))
    write_layers(tmp_path / "x", [Layer(n, p) for n, p in zip(NAMES, layers(), strict=True)], target)
    for image, pixels in zip(read_layers(tmp_path / "x", format), layers(), strict=True):
        assert image.encoding.icc == icc_profiles.display_p3()
        np.testing.assert_allclose(image.rgb, pixels[..., :3], atol=2 / 255)


@pytest.mark.parametrize("format", sorted(READERS))
def test_a_file_without_layers_is_one_clear_error(tmp_path, format):
    (tmp_path / "x").write_bytes(b"nothing of the kind")
    with pytest.raises(ItemError, match="x") as refusal:
        list(read_layers(tmp_path / "x", format))
    assert "\n" not in str(refusal.value)
