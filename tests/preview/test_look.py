"""Small pictures from an item's files."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from omnialpha_cli.item import Item
from omnialpha_cli.media.colour import LINEAR
from omnialpha_cli.media.write import Target, write_picture
from omnialpha_cli.preview.look import look
from omnialpha_cli.status import ItemError
from omnialpha_cli.tasks import TASKS


def item(path: Path, format: str = "png") -> Item:
    return Item(TASKS["generate.foreground"], (), (path,), format=format)


def test_longer_sides_are_bounded_and_nothing_is_enlarged(tmp_path, picture):
    for size, expected in (((300, 200), (67, 100)), ((30, 20), (20, 30))):
        ((_, small),) = look(item(picture(tmp_path / "x.png", size)), 100, 10**6).layers
        assert small.rgba.shape == (4, *expected) and small.is_opaque


def test_highlights_do_not_spread(tmp_path):
    rgba = np.zeros((64, 64, 4), np.float32)
    rgba[..., 3] = 1
    rgba[0, 0, :3] = 10000
    rgba[1, 0, :3] = np.nan
    write_picture(tmp_path / "x.exr", rgba, Target("exr", "float", LINEAR))
    ((_, small),) = look(item(tmp_path / "x.exr", "exr"), 8, 10**6).layers
    assert small.encoding.is_linear and small.rgba.isfinite().all()
    assert small.rgba[:3].max() < 0.1 and small.srgb()[:3].max() < 0.4


def test_colours_of_what_is_transparent_do_not_bleed(tmp_path):
    rgba = np.zeros((64, 64, 4), np.float32)
    rgba[..., 0] = 1
    rgba[:, ::2] = (0, 1, 0, 1)
    write_picture(tmp_path / "x.png", rgba, Target())
    ((_, small),) = look(item(tmp_path / "x.png"), 16, 10**6).layers
    assert small.rgba[0].max() < 0.01 and not small.is_opaque


def test_a_source_whose_alpha_is_0_everywhere_is_shown(tmp_path):
    """Renders have it, and no command takes it for a matte."""
    rgba = np.zeros((64, 64, 4), np.float32)
    rgba[..., :3] = 0.5
    light = np.ones((64, 64), bool)
    write_picture(tmp_path / "x.exr", rgba, Target("exr", "half", LINEAR), light)
    made = replace(item(tmp_path / "x.exr", "exr"), task=TASKS["matte.auto"], inputs=(tmp_path / "x.exr",))
    before = look(made, 16, 10**6).before
    assert before.is_opaque and (before.rgba[:3] - 0.5).abs().max() < 1e-3


def test_a_file_that_has_gone_is_one_clear_error(tmp_path):
    with pytest.raises(ItemError, match=r"x\.png"):
        look(item(tmp_path / "x.png"), 100, 10**6)
