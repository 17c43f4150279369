"""What made a file is in the file, in every format, and a file knows whether it is as it was made."""

import io
import json
import struct
from zipfile import ZipFile

import numpy as np
import OpenImageIO as oiio
import pytest
from PIL import Image as PILImage
from PIL import ImageCms

from omnialpha_cli.media import provenance
from omnialpha_cli.media.formats import FORMATS
from omnialpha_cli.media.read import read_image
from omnialpha_cli.media.write import Layer, Target, write_grey, write_layers, write_picture

SETTINGS = {"seed": 7, "steps": 2, "text": "a »red« <cat> & it's", "refine": "none", "grow": 0, "canvas": 64}
MADE = provenance.record("matte.text", SETTINGS, "ab" * 32, ["01" * 32, "23" * 32], {})
DEPTHS = {"exr": "half"}


@pytest.fixture(params=[*FORMATS, "grey", "tiff layers", "exr layers", "exr parts", "tiff-pages layers"])
def made(request, tmp_path):
    name = request.param.split()[0].replace("grey", "png")
    path = tmp_path / f"a{FORMATS[name].suffix}"
    target = Target(name, DEPTHS.get(name, "8"), provenance=MADE, parts=request.param == "exr parts")
    rgba = np.random.default_rng(0).random((20, 30, 4), np.float32)
    if request.param == "grey":
        write_grey(path, rgba[..., 3], target)
    elif " " in request.param:
        write_layers(path, [Layer("background", rgba), Layer("foreground", rgba)], target)
    else:
        write_picture(path, rgba, target)
    provenance.seal(path)
    return path


def test_all_of_it_comes_back(made):
    told = provenance.read(made)
    assert {**told, "digest": ""} == {**MADE, "digest": ""}
    assert told["inputs"].split() == ["01" * 32, "23" * 32]
    assert json.loads(told["settings"]) == SETTINGS


def test_it_is_untouched_until_a_byte_changes(made):
    assert provenance.is_untouched(made)
    whole = made.read_bytes()
    for place in (len(whole) // 3, len(whole) // 2, len(whole) - 5, whole.rfind(b"omnialpha-digest-") + 20):
        made.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert not provenance.is_untouched(made)
    made.write_bytes(whole + b"x")
    assert not provenance.is_untouched(made)
    made.write_bytes(b"")
    assert not provenance.is_untouched(made)


def test_it_stays_a_whole_file(made):
    if made.suffix in (".png", ".webp", ".tif", ".psd"):
        PILImage.open(made).load()
        assert made.suffix != ".png" or "omnialpha:version" in PILImage.open(made).text
    else:
        assert made.suffix == ".ora" or oiio.ImageBuf(str(made)).read()


def test_a_picture_without_it(tmp_path):
    for name in ("a.png", "a.tif", "a.webp", "a.jpg"):
        PILImage.new("RGB", (8, 8)).save(tmp_path / name)
        assert provenance.read(tmp_path / name) is None
        assert not provenance.is_untouched(tmp_path / name)


@pytest.mark.parametrize(
    "content", [b"{", b"[" * 9999, b"PK\3\4xx", b"<x:xmpmeta><</x:xmpmeta>", b"\x89PNG\r\n\x1a\n\0"]
)
def test_what_only_looks_like_it(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    assert provenance.read(tmp_path / "a") is None


@pytest.mark.parametrize("comment", [b"[1]", b"5", b"null", b'{"omnialpha:seed": 1}'])
def test_archives_of_other_programs(tmp_path, comment):
    path = tmp_path / "a.zip"
    with ZipFile(path, "w") as archive:
        archive.writestr("a", "a")
        archive.comment = comment
    assert provenance.read(path) is None
    data = path.read_bytes()
    needed = data.index(b"PK\1\2") + 6  # the version of the format that reading takes
    path.write_bytes(data[:needed] + b"\xff" + data[needed + 1 :])
    assert provenance.read(path) is None


def test_a_result_that_becomes_an_input_does_not_hand_it_on(tmp_path):
    write_picture(tmp_path / "a.png", np.ones((4, 4, 4), np.float32), Target(provenance=MADE))
    assert not [name for name in read_image(tmp_path / "a.png").metadata if name.startswith("omnialpha")]


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_pixels_are_the_same_file(tmp_path, name):
    target = Target(name, DEPTHS.get(name, "8"), provenance=MADE)
    rgba = np.random.default_rng(0).random((20, 30, 4), np.float32)
    paths = [tmp_path / f"{i}{FORMATS[name].suffix}" for i in range(2)]
    for path in paths:
        write_picture(path, rgba, target)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_tiff_file_of_floats_has_a_profile_without_the_time_of_writing(tmp_path):
    write_picture(tmp_path / "a.tif", np.ones((4, 4, 4), np.float32), Target("tiff", "float"))
    profile = read_image(tmp_path / "a.tif").encoding.icc
    assert struct.unpack(">6H", profile[24:36]) == (2000, 1, 1, 0, 0, 0)
    assert ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile.profile_description == "sRGB built-in"


def test_an_exr_file_does_not_hold_the_time_of_writing(tmp_path):
    write_picture(tmp_path / "a.exr", np.ones((4, 4, 4), np.float32), Target("exr", "half"))
    assert b"capDate" not in (tmp_path / "a.exr").read_bytes()[:4000] or not oiio.ImageBuf(
        str(tmp_path / "a.exr")
    ).spec().getattribute("DateTime")
