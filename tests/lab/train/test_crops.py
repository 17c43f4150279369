"""Crops of backgrounds, and of their sketches, for training the generator."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from omnialpha_cli.lab.train import crops
from omnialpha_cli.lab.train.packs import Picture


def ramp(height: int = 96, width: int = 192) -> Picture:
    """Red grows downwards, green to the right."""
    rgba = np.zeros((height, width, 4), np.uint8)
    rgba[..., 0] = np.linspace(0, 255, height)[:, None]
    rgba[..., 1] = np.linspace(0, 255, width)
    return Picture("ramp", rgba, "ramp")


@pytest.mark.parametrize("size", crops.canvases(64, 16))
def test_crops_lie_in_the_frame_and_have_their_canvas_s_shape(size):
    drawn = crops.draw_crops(size, torch.Generator().manual_seed(0))
    assert len(drawn) == crops.CROPS and len({crop.box for crop in drawn}) > 2
    for crop in drawn:
        top, left, height, width = crop.box
        assert top >= 0 and left >= 0 and top + height <= 1 + 1e-6 and left + width <= 1 + 1e-6
        assert height / (width * crops.FRAME) == pytest.approx(size[0] / size[1])
    first = drawn[0]
    assert not first.flip and first.box[0] + first.box[2] / 2 == pytest.approx(0.5) == first.box[1] + first.box[3] / 2
    assert max(first.box[2:]) == pytest.approx(1)


def test_canvases_have_the_shapes_of_pictures():
    sizes = crops.canvases(176, 16)
    assert {h % 16 for h, _ in sizes} == {w % 16 for _, w in sizes} == {0}
    assert [h / w for h, w in sizes] == pytest.approx(crops.SHAPES, rel=0.05)


@pytest.mark.parametrize("shape", [(96, 192), (150, 192), (96, 300)])
def test_a_frame_is_the_middle_of_a_picture(shape):
    frame = crops.framed(ramp(*shape).rgba)
    assert frame.shape[2] == 2 * frame.shape[1] and (frame[3] == 1).all()
    assert frame[:2].mean((1, 2)).tolist() == pytest.approx([0.5, 0.5], abs=0.01)


def test_a_part_of_a_sketch_shows_what_the_crop_shows():
    size = (32, 48)
    for crop in crops.draw_crops(size, torch.Generator().manual_seed(1)):
        (part,) = crops.crop_backgrounds([ramp()], crop, size)
        (whole,) = crops.crop_backgrounds([ramp()], crops.Crop((0.0, 0.0, 1.0, 1.0), crop.flip), (96, 192))
        of_sketch = crops.of_sketches(whole[None], crop.to_frame[None], size)[0]
        assert torch.allclose(part, of_sketch, atol=0.02)
        assert part.shape == (4, *size)


def test_the_first_crop_of_a_sketch_is_the_one_that_is_used():
    from omnialpha_cli.model.mini.sketch import cut

    sketch = torch.randn(1, 3, 12, 24, generator=torch.Generator().manual_seed(0))
    crop = crops.draw_crops((96, 96), torch.Generator().manual_seed(0))[0]
    part = crops.of_sketches(sketch, crop.to_frame[None], (12, 12))
    assert torch.allclose(part, F.interpolate(cut(sketch, 1.0), (12, 12), mode="bilinear"), atol=1e-5)
