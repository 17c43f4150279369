"""`--refine` and `--despill`: they change pixels, so doing it again knows them."""

import numpy as np
import pytest
from PIL import Image as PILImage


@pytest.fixture
def photo(run, picture, tmp_path):
    return picture(tmp_path / "a.png", (160, 120))


def pixels(run, command, photo, folder, *options):
    assert run(command, photo, "-o", folder, *options).code == 0
    return np.asarray(PILImage.open(f"{folder}/a.png" if command == "matte" else f"{folder}/a/1_foreground.png"))


@pytest.mark.parametrize("method", ["laplacian", "none"])
def test_refine_reaches_the_matte(run, photo, method):
    assert (pixels(run, "matte", photo, "one") != pixels(run, "matte", photo, "two", "--refine", method)).any()


@pytest.mark.slow
def test_despill_takes_green_out_of_the_matte_alone_where_there_is_a_screen(run, photo):
    plain, green = pixels(run, "matte", photo, "one"), pixels(run, "matte", photo, "two", "--despill", "green")
    assert (green[..., 1] <= green[..., [0, 2]].max(-1)).all()
    assert (plain[..., 1] > plain[..., [0, 2]].max(-1)).any()
    assert (pixels(run, "matte", photo, "three", "--despill", "auto") == plain).all()
    assert "no green or blue screen found" in run("matte", photo, "-o", "four", "--despill", "auto").err


@pytest.mark.parametrize("option", ["--refine=none", "--despill=blue"])
def test_another_way_to_finish_is_another_result(run, photo, option):
    assert run("matte", photo, "-o", "out").code == 0
    again = run("matte", photo, "-o", "out", option)
    assert again.code == 2
    name, value = option[2:].split("=")
    assert name in again.err and value in again.err
    assert run("matte", photo, "-o", "out", option, "--overwrite").code == 0


def test_decompose_takes_both(run, photo):
    assert run("decompose", photo, "-o", "out", "--refine", "none", "--despill", "auto").code == 0


@pytest.mark.parametrize("option", ["--refine=sharp", "--despill=red"])
def test_other_words_are_refused(run, photo, option):
    assert run("matte", photo, option).code == 2
