"""Results in folders, matched with the truth and judged."""

import numpy as np
import OpenImageIO as oiio
import pytest
from greys import write_grey

from omnialpha_cli.lab.evaluate.folders import Folders, judge_folders, read_names
from omnialpha_cli.media.colour import LINEAR, SRGB, convert
from omnialpha_cli.media.write import Target, write_picture, write_png
from omnialpha_cli.status import ItemError, UsageError

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (8, 10, 3)).astype(np.float32) / 255
ALPHA = RNG.integers(0, 256, (8, 10)).astype(np.float32) / 255
WORSE = np.clip(ALPHA + 0.2, 0, 1)


def rgba(colour, alpha=1.0):
    return np.dstack((colour, np.broadcast_to(np.float32(alpha), colour.shape[:2])))


@pytest.fixture
def place(tmp_path):
    (tmp_path / "truth").mkdir()
    (tmp_path / "found").mkdir()
    return tmp_path


def judge(task, place, **more):
    return list(judge_folders(task, Folders(place / "found", place / "truth", **more)))


@pytest.mark.parametrize("depth", ["8", "16"])
def test_a_cut_out_and_a_matte_alone_are_judged_alike(place, depth):
    write_grey(place / "truth/a.png", ALPHA, depth)
    write_grey(place / "truth/b.png", ALPHA, depth)
    write_png(place / "truth/c.png", rgba(COLOUR, ALPHA), depth)
    write_png(place / "found/a.png", rgba(COLOUR, WORSE), depth)
    write_grey(place / "found/b.png", WORSE, depth)
    write_png(place / "found/c.png", rgba(np.dstack([WORSE] * 3)), depth)  # a matte, with an alpha that says nothing
    a, b, c = judge("matting", place)
    assert [one.name for one in (a, b, c)] == ["a", "b", "c"]
    assert a.scores == b.scores == c.scores
    assert a.scores["mad"] == pytest.approx(np.abs(WORSE - ALPHA).mean(), abs=2e-3)
    assert "mse_unknown" not in a.scores


def test_depths_may_differ(place):
    write_grey(place / "truth/a.png", ALPHA, "8")
    write_grey(place / "found/a.png", ALPHA, "16")
    (judged,) = judge("matting", place)
    assert judged.scores["mse"] == pytest.approx(0, abs=1e-12)


def test_trimaps_add_the_band_and_folders_below_are_walked(place):
    write_grey(place / "truth/x/a.png", ALPHA)
    write_png(place / "found/x/a.tif.png", rgba(COLOUR))  # another picture
    write_grey(place / "found/x/a.png", WORSE)
    trimap = np.zeros_like(ALPHA)
    trimap[2:4] = 0.5
    write_grey(place / "trimaps/x/a.png", trimap)
    (judged,) = judge("matting", place, trimaps=place / "trimaps")
    assert judged.name == "x/a"
    assert judged.scores["mad_unknown"] == pytest.approx(np.abs(WORSE - ALPHA)[2:4].mean(), abs=2e-3)


def test_a_list_of_names_leads_to_results_named_otherwise(place):
    write_grey(place / "truth/a.png", ALPHA)
    write_grey(place / "found/result 7.png", ALPHA)
    (place / "names.csv").write_text("a.png,result 7.png\n")
    (judged,) = judge("matting", place, names=read_names(place / "names.csv"))
    assert judged.scores["mse"] == 0


def test_one_list_of_names_serves_tools_that_name_results_differently(place):
    write_grey(place / "truth/a.png", ALPHA)
    (place / "names.csv").write_text("a.png,result 7.png\na.png,output_a.jpg\n")
    for name in ("result 7", "output_a", "a"):
        write_grey(place / f"found/{name}.png", ALPHA)
        (judged,) = judge("matting", place, names=read_names(place / "names.csv"))
        assert judged.scores["mse"] == 0
        (place / f"found/{name}.png").unlink()
    (missing,) = judge("matting", place, names=read_names(place / "names.csv"))
    assert "has no picture a: make it, or map its name with --names" in str(missing)


def test_a_list_of_names_with_another_number_of_columns_is_refused(place):
    (place / "names.csv").write_text("a,b\nc\n")
    with pytest.raises(UsageError, match="line 2"):
        read_names(place / "names.csv")


def test_what_cannot_be_judged_is_reported_and_the_rest_goes_on(place):
    for name in "abcd":
        write_grey(place / f"truth/{name}.png", ALPHA)
    write_grey(place / "found/a.png", ALPHA[:4])
    write_grey(place / "found/b.png", ALPHA)
    write_png(place / "found/b.webp.png", rgba(COLOUR))
    oiio.ImageBuf(np.zeros((8, 10), np.uint8)).write(str(place / "found/b.tif"))
    write_grey(place / "found/d.png", ALPHA)
    size, several, missing, fine = judge("matting", place)
    assert isinstance(size, ItemError)
    assert "10×4" in str(size) and "10×8" in str(size)
    assert isinstance(several, ItemError)
    assert "b.png, b.tif" in str(several)
    assert isinstance(missing, ItemError)
    assert missing.code == "missing"
    assert fine.scores["mse"] == 0


def test_an_empty_truth_is_refused(place):
    with pytest.raises(UsageError, match="truth"):
        judge("matting", place)


def test_removal_is_judged_where_a_mask_shows_the_object(place):
    mask = np.zeros_like(ALPHA)
    mask[:, :5] = 1
    write_png(place / "truth/a.png", rgba(COLOUR))
    write_png(place / "found/a.png", rgba(np.where(mask[..., None] > 0, 1 - COLOUR, COLOUR)))
    write_grey(place / "masks/a.png", mask)
    (judged,) = judge("removal", place, trimaps=place / "masks")
    assert judged.scores["psnr_hole"] == pytest.approx(judged.scores["psnr"] - 10 * np.log10(2))


@pytest.mark.parametrize("names", [("a/00_background", "a/01_foreground"), ("a_background", "a_foreground")])
def test_layers_are_found_as_the_command_writes_them_and_flat(place, names):
    write_png(place / "truth/a_background.png", rgba(COLOUR))
    write_png(place / "truth/a_foreground.png", rgba(COLOUR[::-1], ALPHA))
    write_png(place / f"found/{names[0]}.png", rgba(COLOUR))
    write_png(place / f"found/{names[1]}.png", rgba(COLOUR[::-1], WORSE))
    (judged,) = judge("decomposition", place)
    assert judged.name == "a"
    assert judged.scores["soft_iou"] == pytest.approx(ALPHA.sum() / WORSE.sum(), abs=5e-3)
    assert judged.scores["foreground_l1"] == judged.scores["background_l1"] == 0


def test_pictures_whose_names_are_numbers_are_not_taken_for_layers(place):
    for name in ("0", "07", "0001"):
        for folder in ("truth", "found"):
            write_png(place / f"{folder}/{name}_background.png", rgba(COLOUR))
            write_png(place / f"{folder}/{name}_foreground.png", rgba(COLOUR[::-1], ALPHA))
    assert [judged.name for judged in judge("decomposition", place)] == ["0", "0001", "07"]


def test_a_missing_layer_is_one_failed_picture(place):
    write_png(place / "truth/a_background.png", rgba(COLOUR))
    (error,) = judge("decomposition", place)
    assert isinstance(error, ItemError)
    assert "foreground" in str(error)


def test_linear_files_are_compared_as_srgb(place):
    write_png(place / "truth/a.png", rgba(COLOUR))
    light = convert(COLOUR, SRGB, LINEAR)
    write_picture(place / "found/a.exr", rgba(light), Target("exr", "float", LINEAR))
    (judged,) = judge("removal", place)
    assert judged.scores["psnr"] > 60


def test_numbers_that_are_none_count_as_black(place):
    write_png(place / "truth/a.png", rgba(COLOUR))
    write_picture(place / "found/a.exr", rgba(COLOUR * np.nan), Target("exr", "float", LINEAR))
    (judged,) = judge("removal", place)
    assert judged.scores["psnr"] == pytest.approx(-10 * np.log10(np.square(COLOUR).mean()), abs=0.01)
