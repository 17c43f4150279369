"""Colour: littlecms is the judge of profiles, published figures that of curves and primaries."""

import io

import icc_profiles
import numpy as np
import PIL.Image
import PIL.ImageCms
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from omnialpha_cli.media.colour import CURVES, LINEAR, PRIMARIES, SRGB, Encoding, convert, primaries_of, to_linear
from omnialpha_cli.media.icc import is_usable, profile_space, read_curve, read_grey_curve, read_matrix_profile

COLOURS = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
SRGB_TABLE = CURVES["srgb"][0](np.linspace(0, 1, 1024, dtype=np.float32))

PROFILES = {
    "display p3": icc_profiles.display_p3(),
    "adobe rgb": icc_profiles.adobe_rgb(),
    "a table": icc_profiles.rgb_profile(icc_profiles.DISPLAY_P3, icc_profiles.table_curve(SRGB_TABLE)),
    "parametric 0": icc_profiles.rgb_profile(icc_profiles.ADOBE_RGB, icc_profiles.parametric_curve(0, 1.8)),
    "parametric 1": icc_profiles.rgb_profile(icc_profiles.ADOBE_RGB, icc_profiles.parametric_curve(1, 2.2, 0.9, 0.1)),
    "parametric 4": icc_profiles.rgb_profile(
        icc_profiles.ADOBE_RGB, icc_profiles.parametric_curve(4, *icc_profiles.SRGB_CURVE, 0, 0)
    ),
    "littlecms' own": PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes(),
}


def by_littlecms(icc: bytes, samples: np.ndarray) -> np.ndarray:
    """8-bit colours of a profile in sRGB."""
    profile = PIL.ImageCms.ImageCmsProfile(io.BytesIO(icc))
    srgb = PIL.ImageCms.createProfile("sRGB")
    intent = PIL.ImageCms.Intent.RELATIVE_COLORIMETRIC
    transform = PIL.ImageCms.buildTransform(profile, srgb, "RGB", "RGB", intent)
    return np.asarray(PIL.ImageCms.applyTransform(PIL.Image.fromarray(samples), transform))


@pytest.mark.parametrize("name", PROFILES)
def test_matrix_profiles_agree_with_littlecms(name):
    icc = PROFILES[name]
    assert read_matrix_profile(icc) is not None and is_usable(icc)
    ours = convert(COLOURS.astype(np.float32) / 255, Encoding(icc=icc), SRGB)
    difference = np.abs(np.clip(ours, 0, 1) * 255 - by_littlecms(icc, COLOURS))
    assert difference.max() < 2 and difference.mean() < 0.5


@pytest.mark.parametrize("name", PROFILES)
def test_there_and_back_is_the_same(name):
    rgb = COLOURS.astype(np.float32) / 255
    encoding = Encoding(icc=PROFILES[name])
    again = convert(convert(rgb, encoding, LINEAR), LINEAR, encoding)
    np.testing.assert_allclose(again, rgb, atol=2e-3 if "table" in name else 5e-4)


def test_a_wide_gamut_reaches_beyond_srgb_and_is_not_cut_off():
    green = np.array([[[0, 1, 0]]], np.float32)
    light = to_linear(green, Encoding(icc=PROFILES["display p3"]))
    assert light[0, 0, 0] < -0.1 and light[0, 0, 1] > 1


def test_the_same_encoding_is_the_same_array():
    rgb = COLOURS.astype(np.float32)
    for encoding in (SRGB, LINEAR, Encoding(icc=PROFILES["display p3"])):
        assert convert(rgb, encoding, encoding) is rgb


@pytest.mark.parametrize(
    ("transfer", "signal", "light"),
    [
        ("srgb", 0.5, 0.21404), ("srgb", 0.04, 0.04 / 12.92), ("srgb", 1.0, 1.0),  # IEC 61966-2-1
        ("rec709", 0.5, 0.25960), ("rec709", 0.081, 0.018),  # ITU-R BT.709
        ("pq", 0.58069, 1.0), ("pq", 0.50808, 100 / 203),  # BT.2408, table 1: 203 cd/m² is 58 %; 100 cd/m² is 51 %
        ("hlg", 0.75, 1.0), ("hlg", 0.38, 0.1815),  # BT.2408: white is 75 %, an 18 % grey card 38 %
        ("cineon", 685 / 1023, 1.0), ("cineon", 95 / 1023, 0.0),  # Kodak: white, black, and the grey card at 470
        ("cineon", 469 / 1023, 0.1818),
        (2.2, 0.5, 0.21764),
    ],
)  # fmt: skip
def test_curves_have_their_published_values(transfer, signal, light):
    values = np.full((1, 1, 3), signal, np.float32)
    np.testing.assert_allclose(to_linear(values, Encoding(transfer)), light, atol=1e-3)


@pytest.mark.parametrize("transfer", [*CURVES, 2.2])
@given(values=arrays.arrays(np.float32, (1, 5, 3), elements=st.floats(0, 1, width=32)))
def test_curves_have_inverses(transfer, values):
    encoding = Encoding(transfer)
    np.testing.assert_allclose(convert(convert(values, encoding, LINEAR), LINEAR, encoding), values, atol=1e-3)


@pytest.mark.parametrize("transfer", ["srgb", "rec709", "linear", 2.2])
def test_what_is_beyond_0_and_1_survives(transfer):
    values = np.array([[[-0.5, 3.0, 16.0]]], np.float32)
    encoding = Encoding(transfer)
    np.testing.assert_allclose(convert(convert(values, LINEAR, encoding), encoding, LINEAR), values, rtol=1e-4)


def test_primaries_are_converted_and_white_stays_white():
    for name, chromaticities in PRIMARIES.items():
        source = Encoding("linear", primaries_of(chromaticities))
        white = to_linear(np.ones((1, 1, 3), np.float32), source)
        np.testing.assert_allclose(white, 1, atol=2e-3, err_msg=name)
    assert primaries_of(PRIMARIES["rec709"]) is None
    # ITU-R BT.2087, annex 2: Rec. 2020 to Rec. 709
    matrix = to_linear(np.eye(3, dtype=np.float32)[None], Encoding("linear", PRIMARIES["rec2020"]))[0].T
    expected = [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
    np.testing.assert_allclose(matrix, expected, atol=5e-4)


@pytest.mark.parametrize("damage", [slice(0, 60), slice(0, 140), slice(0, 200)])
def test_a_damaged_profile_is_no_profile(damage):
    icc = PROFILES["display p3"][damage]
    assert read_matrix_profile(icc.ljust(128, b"\0")) is None
    assert not is_usable(icc)


def test_a_curve_beyond_all_numbers_is_no_profile():
    curve = icc_profiles.parametric_curve(3, 100, 30000, 30000, 0, 30000)  # (30000 · 30000 + 30000)^100
    icc = icc_profiles.rgb_profile(icc_profiles.DISPLAY_P3, curve)
    assert read_matrix_profile(icc) is None
    is_usable(icc)  # or not, as littlecms says
    assert read_grey_curve(icc_profiles.profile(b"GRAY", b"mntr", {b"kTRC": curve})) is None


def test_what_a_profile_describes():
    assert profile_space(PROFILES["adobe rgb"]) == "RGB"
    assert profile_space(icc_profiles.cmyk()) == "CMYK" and profile_space(icc_profiles.grey(2.2)) == "GRAY"
    assert profile_space(None) is None and profile_space(b"short") is None


def test_unknown_curves_are_refused():
    for tag in (b"text\0\0\0\0abcd", icc_profiles.parametric_curve(9, 1)):
        with pytest.raises(ValueError, match="curve"):
            read_curve(tag)
