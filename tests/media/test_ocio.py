"""Colour spaces by name."""

import numpy as np
import OpenImageIO as oiio
import pytest

from omnialpha_cli.media.colour import LINEAR, PRIMARIES, SRGB, Encoding, convert, find_space
from omnialpha_cli.status import UsageError

RGB = np.random.default_rng(0).uniform(-0.01, 8, (10, 12, 3)).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("ACEScg", Encoding("linear", PRIMARIES["ap1"])),
        ("ACES2065-1", Encoding("linear", PRIMARIES["ap0"])),
        ("scene_linear", Encoding("linear", PRIMARIES["ap1"])),  # a role
        ("lin_rec709", LINEAR),  # an alias
        ("sRGB - Display", SRGB),
    ],
)
def test_what_a_file_can_tell_of_needs_no_name(name, encoding):
    assert find_space(name) == encoding


@pytest.mark.parametrize("name", ["ARRI LogC3 (EI800)", "ACEScct", "S-Log3 S-Gamut3.Cine", "Linear ARRI Wide Gamut 4"])
def test_values_beyond_white_and_below_black_survive_a_round_trip(name):
    encoding = find_space(name)
    np.testing.assert_allclose(convert(convert(RGB, LINEAR, encoding), encoding, LINEAR), RGB, atol=1e-3)
    assert encoding.is_log == (not name.startswith("Linear"))


def test_conversions_are_those_of_opencolorio():
    logc = np.linspace(0, 1, 30, dtype=np.float32).reshape(2, 5, 3)
    buffer = oiio.ImageBufAlgo.colorconvert(
        oiio.ImageBuf(logc), "ARRI LogC3 (EI800)", "ACEScg", colorconfig="ocio://studio-config-latest"
    )
    ours = convert(logc, find_space("ARRI LogC3 (EI800)"), find_space("ACEScg"))
    np.testing.assert_allclose(ours, buffer.get_pixels(oiio.FLOAT), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("name", "near"), [("ACEScgg", "ACEScg"), ("logc", r"ARRI LogC3 \(EI800\)")])
def test_a_wrong_name_lists_the_near_ones(name, near):
    with pytest.raises(UsageError, match=near):
        find_space(name)
