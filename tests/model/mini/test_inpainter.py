"""What is behind a hole, by a network of its own beside the transformer."""

import pytest
import torch
from tiny_model import tiny_model

from omnialpha_cli.model.mini.inpainter import Inpainter
from omnialpha_cli.model.omnialpha import Request


def drawn(h: int, w: int, seed: int) -> torch.Tensor:
    return torch.rand(4, h, w, generator=torch.Generator().manual_seed(seed))


def inpainter() -> Inpainter:
    torch.manual_seed(1)
    network = Inpainter().requires_grad_(False)
    network.leave.weight.normal_(0, 0.02)
    return network


def request(h: int, w: int, seed: int) -> Request:
    hole = torch.zeros(h, w, dtype=torch.bool)
    hole[h // 4 : h // 2, w // 4 : w // 2] = True
    return Request("", (drawn(h, w, seed), drawn(h, w, seed + 1)), ((h, w),), inpaint_mask=hole, task="remove.mask")


def test_outside_of_the_mask_nothing_changes():
    (one,) = (request(64, 96, 1),)
    found = inpainter()(one.inputs[0][None, :3], one.inpaint_mask[None, None].float())[0]
    assert torch.equal(found[:, ~one.inpaint_mask], one.inputs[0][:3, ~one.inpaint_mask])
    assert (found - one.inputs[0][:3])[:, one.inpaint_mask].abs().mean() > 0.01


@pytest.mark.slow
def test_requests_with_a_mask_are_its_own_and_all_come_back_in_order():
    model, without = tiny_model(), tiny_model()
    model.specialists["inpainter"] = inpainter()
    seen = Request("cat", (drawn(64, 96, 8),), ((64, 96),), seed=3, task="matte.auto")
    requests = [request(64, 96, 1), seen, request(64, 64, 2), request(64, 96, 3)]
    results = model.run(requests)
    assert torch.equal(results[1][0], without.run([seen])[0][0])
    for one, (layer,) in zip(requests, results, strict=True):
        if one.inpaint_mask is None:
            continue
        assert layer.shape == (4, *one.targets[0]) and (layer[3] == 1).all()
        assert torch.equal(layer[:3, ~one.inpaint_mask], one.inputs[0][:3, ~one.inpaint_mask])
        torch.testing.assert_close(layer, model.run([one])[0][0])


def test_without_it_the_transformer_serves_them():
    one = request(64, 64, 1)
    (layer,) = tiny_model().run([one])[0]
    assert not torch.equal(layer[:3, ~one.inpaint_mask], one.inputs[0][:3, ~one.inpaint_mask])
