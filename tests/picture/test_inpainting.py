"""`remove` where the weights see what is behind an object by a network of their own."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_model import in_api, tiny_model


class Wall(torch.nn.Module):
    """Says that there is a green wall behind everything, and keeps what it was shown."""

    def forward(self, filled: torch.Tensor, hole: torch.Tensor) -> torch.Tensor:
        self.shown = filled, hole
        green = torch.tensor([0.2, 0.8, 0.2]).view(3, 1, 1)
        return torch.where(hole > 0, green, filled)


@pytest.fixture
def model():
    model = in_api(tiny_model())
    model.model.defaults = replace(model.model.defaults, fill=True)
    model.model.specialists["inpainter"] = Wall()
    return model


@pytest.fixture
def picture():
    """A grey picture with a green wall above, and before both a red square, and the mask of that."""
    photo, mask = np.full((64, 64, 3), 100, np.uint8), np.zeros((64, 64), np.uint8)
    photo[:12] = 51, 204, 51
    photo[16:48, 16:48], mask[16:48, 16:48] = (250, 10, 10), 255
    return photo, mask


@pytest.mark.parametrize("hint", ["mask", "trimap", "rough_mask"])
def test_it_paints_in_the_mask_alone(model, picture, hint):
    photo, mask = picture
    result = model.remove(photo, **{hint: mask})[..., :3]
    # Patches of the wall, led to the grey around them, as joins are: nearer to what it says than to the surroundings.
    wall, grey = (np.abs(result[24:40, 24:40].astype(int) - colour).sum(-1) for colour in ((51, 204, 51), 100))
    assert wall.mean() < grey.mean() / 2
    assert np.array_equal(result[mask == 0], photo[mask == 0])
    filled, hole = model.model.specialists["inpainter"].shown
    assert filled[:, (0, 2)].max() < 100 / 255 + 0.02  # it is shown nothing of the object
    assert hole[0, 0, 14:50, 14:50].all() and not hole[0, 0, :12].any()  # and that its edge is not to be believed


def test_what_is_found_first_is_taken_out_by_it_too(model, picture):
    photo, _ = picture
    model.model.tasks = ("matte.auto", "remove.mask")
    background, foreground = model.decompose(photo)
    _, hole = model.model.specialists["inpainter"].shown
    matte = foreground[..., 3] > 128
    assert hole[0, 0].numpy()[matte].all()
    assert np.array_equal(background[hole[0, 0].numpy() == 0][:, :3], photo[hole[0, 0].numpy() == 0])
