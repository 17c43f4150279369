"""`remove --effects` where the weights see effects by a network of their own: the plate, lit as that says."""

import numpy as np
import pytest
import torch
from tiny_model import in_api, tiny_model

from omnialpha_cli.imaging.removal.clean_plate import LEAST


class Lighter(torch.nn.Module):
    """Says of every picture that it would be lighter by a half, and keeps what it was shown."""

    def gains(self, scene: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        self.shown = scene, mask
        return torch.full_like(scene, 1.5)


@pytest.fixture
def model():
    model = in_api(tiny_model())
    model.model.specialists["effects"] = Lighter()
    return model


@pytest.fixture
def picture():
    """A grey picture with a red square, and the mask of that."""
    photo, mask = np.full((64, 64, 3), 100, np.uint8), np.zeros((64, 64), np.uint8)
    photo[24:40, 24:40], mask[24:40, 24:40] = (250, 10, 10), 255
    return photo, mask


@pytest.mark.slow
def test_the_plate_outside_of_the_mask_is_lit(model, picture):
    photo, mask = picture
    result = model.remove(photo, mask=mask, effects=True)[..., :3].astype(int)
    gain = np.exp(np.log(1.5) - LEAST**2 / np.log(1.5))  # a little less, as little of it might be no shadow
    assert (np.abs(result[mask == 0] - 100 * gain) <= 2).all()
    scene, shown = model.model.specialists["effects"].shown
    assert (scene - 100 / 255).abs().max() < 0.02  # the object is painted over
    assert torch.equal(shown, torch.from_numpy(mask / 255).float())


def test_effects_stay_unless_they_are_asked_for(model, picture):
    photo, mask = picture
    result = model.remove(photo, mask=mask)[..., :3]
    assert np.array_equal(result[mask == 0], photo[mask == 0])


def test_weights_that_see_none_apart_leave_it_to_what_they_changed(model, picture):
    photo, mask = picture
    model.model.specialists.clear()
    assert model.model.shadow_gains(torch.zeros(4, 64, 64), torch.zeros(64, 64)) is None
    assert model.remove(photo, mask=mask, effects=True).shape == (64, 64, 4)
