"""Training of the effects: what is learnt is what the object does outside of its mask."""

import pytest
import torch
from training_runs import learn

from omnialpha_cli.lab.train import effects
from omnialpha_cli.lab.train.loop import Schedule
from omnialpha_cli.lab.train.stages import canvas_size
from omnialpha_cli.model.mini.effects import SIDE, Effects


def drawn(material):
    objective = effects.objective(material, Schedule(size=64, steps=1, batch=4, lr=1e-3), canvas_size, "cpu")
    return objective, objective.ready(objective.draw(0, 0, torch.Generator().manual_seed(0)))


def test_gains_of_one_leave_all_of_the_effects(material):
    torch.manual_seed(0)
    network = Effects().requires_grad_(False)
    network.leave.bias.zero_()
    objective, batch = drawn(material)
    assert torch.equal(network(batch.scenes, batch.masks), torch.ones_like(batch.scenes))
    assert objective.loss(network, batch, 0)[1]["left"] == 1


def test_true_gains_leave_nothing(material):
    class True_(Effects):
        def forward(self, scene, mask):
            return batch.backgrounds / scene.clamp(min=1e-3)

    objective, batch = drawn(material)
    assert objective.loss(True_(), batch, 0)[1]["left"] < 0.01


def test_some_steps_find_some_of_it(material):
    torch.manual_seed(0)
    network = Effects()
    objective, batch = drawn(material)
    assert learn(network, objective, batch, steps=25)["left"] < 0.5


def test_a_picture_of_any_size_has_gains():
    network = Effects().requires_grad_(False)
    for size in ((256, 256), (96, 480), (32, 32)):
        assert network.gains(torch.rand(3, *size), torch.zeros(size)).shape == (3, *size)


def test_a_picture_and_its_mirror_image_are_seen(monkeypatch):
    """So the mirror image's gains are those of the picture, mirrored."""
    torch.manual_seed(0)
    network = Effects().requires_grad_(False)
    network.leave.weight.normal_(0, 0.05)
    picture, mask = torch.rand(3, 90, 120), (torch.rand(90, 120) > 0.7).float()
    seen = []
    monkeypatch.setattr(network, "through", lambda x: seen.append(x.shape[2:]) or Effects.through(network, x))
    gains = network.gains(picture, mask)
    assert [(h * w) ** 0.5 for h, w in seen] == pytest.approx([SIDE], rel=0.05)
    torch.testing.assert_close(network.gains(picture.flip(2), mask.flip(1)), gains.flip(2), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(gains, network.gains(picture.flip(2), mask).flip(2))
