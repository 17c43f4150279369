"""Training of the inpainter: any picture with a hole in the shape of an object is an example."""

import pytest
import torch
from training_runs import learn

from omnialpha_cli.imaging.removal.fill import fill_masked
from omnialpha_cli.lab.train import inpainter
from omnialpha_cli.lab.train.loop import Schedule
from omnialpha_cli.lab.train.material import make_material
from omnialpha_cli.lab.train.packs import Packs
from omnialpha_cli.model.mini.inpainter import MULTIPLE, Inpainter
from omnialpha_cli.status import UsageError


@pytest.fixture
def objective(material):
    return inpainter.objective(material, Schedule(size=96, steps=1, batch=6, lr=1e-3), torch.device("cpu"))


def batch_of(objective, seed=0):
    return objective.ready(objective.draw(0, 0, torch.Generator().manual_seed(seed)))


def test_a_batch_is_of_one_canvas_and_follows_from_what_was_drawn(objective):
    filled, hole, picture = batch_of(objective)
    assert filled.shape == picture.shape == (6, 3, *hole.shape[2:]) and hole.shape[:2] == (6, 1)
    assert all(side % MULTIPLE == 0 for side in hole.shape[2:])
    assert set(hole.unique().tolist()) == {0, 1}
    assert picture.min() >= 0 and picture.max() <= 1 and picture.std() > 0.02
    assert all(torch.equal(a, b) for a, b in zip(batch_of(objective), (filled, hole, picture), strict=True))
    assert not torch.equal(batch_of(objective, 1)[2], picture)


def test_what_is_shown_knows_nothing_of_what_is_in_the_mask(objective):
    """Around it are the picture's own pixels, darker where an object's shadow had been."""
    filled, hole, picture = batch_of(objective)
    around = 1 - hole
    assert ((filled - picture) * around).max() < 1e-6
    shadowed = ((picture - filled) * around).amax((1, 2, 3)) > 0.02
    assert shadowed.any() and not shadowed.all()
    again = fill_masked(torch.where(hole > 0, torch.rand_like(filled), filled), hole[:, 0] > 0)
    torch.testing.assert_close(again, filled)


def test_a_view_shows_the_part_that_it_names():
    """Each pixel at its place, of pictures that do not fill their stack."""
    ramp = torch.arange(20, dtype=torch.uint8).expand(10, 20)[..., None].numpy()
    stack = inpainter.stacked([ramp, ramp[:, :12]], torch.device("cpu"))
    assert stack.pixels.shape == (2, 1, 20, 20) and stack.sizes.tolist() == [[10, 20], [10, 12]]
    middle, steps = torch.tensor([[6.0, 5.0]]), torch.eye(2)[None]
    view = inpainter.sample_views(stack, torch.tensor([1]), middle, steps, (4, 6)) * 255
    torch.testing.assert_close(view[0, 0], torch.arange(3.0, 9.0).expand(4, 6))
    mirrored = inpainter.sample_views(stack, torch.tensor([0]), middle, -steps, (4, 6)) * 255
    torch.testing.assert_close(mirrored[0, 0], view[0, 0].flip(1))


def test_an_untrained_one_gains_nothing_and_the_truth_much(objective):
    torch.manual_seed(0)
    network, batch = Inpainter().requires_grad_(False), batch_of(objective)
    network.leave.bias.zero_()
    assert objective.loss(network, batch, 0)[1]["gained, dB"] == pytest.approx(0, abs=1e-4)

    class Truth(Inpainter):
        def forward(self, filled, hole):
            return batch[2]

    value, figures = objective.loss(Truth(), batch, 0)
    assert figures["gained, dB"] > 3 and value < objective.loss(network, batch, 0)[0]


def test_some_steps_find_some_of_it(objective):
    torch.manual_seed(0)
    network, batch = Inpainter(), batch_of(objective)
    assert learn(network, objective, batch, steps=10)["gained, dB"] > 1


def test_masks_need_objects(material):
    without = make_material(Packs(material.photos[:1], [], [], [], []))
    without.foregrounds.clear()
    with pytest.raises(UsageError, match="--photos or --cutouts"):
        inpainter.objective(without, Schedule(size=96, steps=1, batch=2, lr=1e-3), torch.device("cpu"))
