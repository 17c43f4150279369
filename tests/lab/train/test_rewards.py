"""Rewards: what is right gets the most, each term sees its own fault, and advantages are relative to the group."""

import numpy as np
import pytest
import torch

from omnialpha_cli.imaging.composite import over
from omnialpha_cli.lab.evaluate import metrics
from omnialpha_cli.lab.train.examples import draw_example
from omnialpha_cli.lab.train.perceptual import load_distance
from omnialpha_cli.lab.train.rewards import advantages, alpha_error, likeness, score, used
from omnialpha_cli.lab.train.triplets import Mix
from omnialpha_cli.tasks import TASKS

SIZE = (64, 96)


@pytest.fixture(scope="module")
def distance():
    return load_distance(None, torch.device("cpu"))


def example(material, name):
    return draw_example(material, Mix(), TASKS[name], SIZE, torch.Generator().manual_seed(3))


def noise(shape, seed: int = 0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_likeness_is_the_mean_of_ssim_and_psnr_over_50_db():
    a = torch.full((3, 32, 32), 0.5)
    assert float(likeness(a, a)) == pytest.approx(1)
    alike = metrics.ssim(*(x.permute(1, 2, 0).numpy() for x in (a, a + 0.01)))
    assert float(likeness(a, a + 0.01)) == pytest.approx((alike + 40 / 50) / 2, abs=1e-4)


@pytest.mark.parametrize("name", ["matte.auto", "remove.mask", "decompose.auto"])
def test_the_truth_gets_one_in_every_term_of_its_task(material, distance, name):
    drawn = example(material, name)
    if name == "decompose.auto":  # a scene without shadow or noise is the composite of its layers
        drawn.inputs[0][:3] = over(drawn.targets[1], drawn.targets[0][:3])
    found = score(drawn, drawn.targets, distance)
    assert found.tolist() == pytest.approx([float(on) for on in used(drawn.task)], abs=1e-4)


def test_the_terms_of_each_task_are_the_published_ones():
    terms = {name: "".join(str(int(on)) for on in used(TASKS[name])) for name in ("remove.mask", "matte.auto",
             "matte.text", "decompose.auto")}  # fmt: skip
    assert terms == {"remove.mask": "1010", "matte.auto": "1001", "matte.text": "1001", "decompose.auto": "1111"}
    with pytest.raises(ValueError, match="no rewards"):
        used(TASKS["generate.foreground"])


def test_each_term_sees_its_own_fault(material, distance):
    drawn = example(material, "decompose.auto")
    background, foreground = drawn.targets
    best = score(drawn, drawn.targets, distance)
    blurred = torch.cat((torch.nn.functional.avg_pool2d(background[None, :3], 9, 1, 4)[0], background[3:]))
    worse_background = score(drawn, [blurred, foreground], distance)
    assert worse_background[2] < best[2] and worse_background[0] < best[0] and worse_background[3] == best[3]
    thin = torch.cat((foreground[:3], foreground[3:] * 0.5))
    worse_foreground = score(drawn, [background, thin], distance)
    assert worse_foreground[3] < best[3] and worse_foreground[1] < best[1] and worse_foreground[2] == best[2]


def test_alpha_counts_near_its_soft_edge():
    true = torch.zeros(1, 64, 64)
    true[:, :, 20:] = 1
    true[:, :, 20] = 0.5
    ones, near, far = torch.ones_like(true), true.clone(), true.clone()
    near[:, :, 22] = 0
    far[:, :, 60] = 0
    assert float(alpha_error(true, true, ones)) == 0
    assert float(alpha_error(near, true, ones)) > 0 == float(alpha_error(far, true, ones))
    hard = (true > 0.5).float()
    assert float(alpha_error(1 - hard, hard, ones)) == 1  # without a soft place every pixel counts


def test_advantages_are_z_scores_of_mean_z_scores():
    scores = noise((8, 4))
    scores[:, 1] *= 100  # a term's range does not matter
    wanted = (True, True, False, True)
    z = np.stack([(c - c.mean()) / c.std() for c in scores[:, [0, 1, 3]].numpy().T])
    mean = z.mean(0)
    assert advantages(scores, wanted).numpy() == pytest.approx((mean - mean.mean()) / mean.std(), abs=1e-4)
    assert torch.equal(advantages(torch.ones(8, 4), wanted), torch.zeros(8))  # nothing to learn from equals
