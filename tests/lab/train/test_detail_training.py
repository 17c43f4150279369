"""Training of the detail: from what the model made of an example to the alpha that it has."""

import torch
from tiny_model import tiny_model
from training_packs import triplet

from omnialpha_cli.lab.data.shards import Shards, write_shard
from omnialpha_cli.lab.train import detail
from omnialpha_cli.lab.train.loop import Schedule
from omnialpha_cli.lab.train.material import make_material
from omnialpha_cli.lab.train.packs import Packs
from omnialpha_cli.lab.train.stages import canvas_size
from omnialpha_cli.model.mini.detail import Detail


def seen(material, count=6):
    model = tiny_model(steps=1)
    return [detail.predict(material, model, canvas_size, 64, number) for number in range(count)]


def blurred_disc(seed: int) -> torch.Tensor:
    """A dark disc on a light ground, (7, 200, 200) as it is seen: found too soft."""
    down, across = torch.meshgrid(torch.arange(200.0), torch.arange(200.0), indexing="ij")
    alpha = (60 + seed - torch.hypot(down - 100, across - 100)).clamp(0, 1)[None]
    found, half = torch.nn.functional.avg_pool2d(alpha[None], 17, 1, 8)[0], torch.full_like(alpha, 0.5)
    return (torch.cat((1 - alpha.expand(3, -1, -1) * 0.8, alpha, half, found, torch.ones_like(alpha))) * 255).byte()


def test_what_is_seen_is_what_the_product_finds(material):
    examples = seen(material, 12)
    hints = set()
    for example in examples:
        assert example.dtype == torch.uint8 and example.shape[0] == 7
        truth, trimap, found = example[3], example[4], example[5]
        hints.add(len(trimap.unique()) > 1)
        assert torch.equal(found[trimap == 255], truth.new_full((), 255).expand(int((trimap == 255).sum())))
        assert not found[trimap == 0].any()
    assert hints == {True, False}  # some have trimaps, others none
    assert all(torch.equal(one, two) for one, two in zip(examples, seen(material, 12), strict=True))


def test_what_is_built_is_seen_finer_at_times(tmp_path):
    """As the product sees a large photograph: the model on its canvas, the pixels finer."""
    write_shard(tmp_path / "00000.tar", [triplet()])
    examples = seen(make_material(Packs([], [], [], [], []), Shards(tmp_path)), 12)
    h, w = canvas_size(48, 64, 64)
    assert {one.shape for one in examples} == {(7, h, w), (7, round(h * detail.FINER), round(w * detail.FINER))}


def test_parts_are_of_one_size_and_keep_what_belongs_together():
    for number in range(20):
        one = detail.part(blurred_disc(0), torch.Generator().manual_seed(number))
        assert one.shape == (7, detail.PART, detail.PART)
        assert torch.allclose(1 - one[0], one[3] * 0.8, atol=0.02)  # plate and truth are turned alike
    small = detail.part(blurred_disc(0)[:, 90:130, :50], torch.Generator().manual_seed(0))
    assert small.shape == (7, detail.PART, detail.PART)


def test_the_error_is_that_of_open_places():
    found, places = torch.zeros(1, 1, 16, 16), torch.zeros(1, 1, 16, 16)
    places[..., :8] = 1
    assert detail.errors(found, 1 - places, places) == 0
    assert detail.errors(found, places, places) == 2


def test_what_is_known_or_far_from_anything_soft_stays():
    alpha, trimap = torch.zeros(1, 1, 48, 48), torch.full((1, 1, 48, 48), 0.5)
    alpha[..., 20, 20] = 0.5
    trimap[..., 24:, :] = 0
    network = Detail().requires_grad_(False)
    network.leave.bias.fill_(1)
    found = network(torch.rand(1, 3, 48, 48), torch.rand(1, 6, 48, 48), alpha, trimap)
    changed = (found != alpha)[0, 0]
    assert changed[12:24, 12:29].all()
    assert changed.sum() == 12 * 17


def test_some_steps_find_the_edge_in_the_picture():
    torch.manual_seed(0)
    network = Detail()
    objective = detail.objective(
        [blurred_disc(seed) for seed in range(4)], Schedule(size=64, steps=1, batch=2, lr=1e-3), torch.device("cpu")
    )
    optimiser = torch.optim.Adam(network.parameters(), 2e-3)
    left = []
    for step in range(20):
        batch = objective.ready(objective.draw(step, 0, torch.Generator().manual_seed(step)))
        value, figures = objective.loss(network, batch, 0)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        left.append(figures["left"])
    assert left[0] > 0.9
    assert sum(left[-5:]) / 5 < 0.4
