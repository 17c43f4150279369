"""The synthetic shot, and how its mattes are judged."""

import torch

from omnialpha_cli.lab.evaluate.moving import moving_shot, steadiness
from omnialpha_cli.lab.evaluate.scenes import hair_scene


def test_the_cut_out_moves_and_its_alpha_is_known():
    scene = hair_scene(60, 90)
    frames = list(moving_shot(scene.foreground, scene.background, 5))
    assert all(frame.shape == (3, 60, 90) and alpha.shape == (60, 90) for frame, alpha in frames)
    columns = torch.arange(90.0)
    places = [float((alpha.sum(0) * columns).sum() / alpha.sum()) for _, alpha in frames]
    assert places == sorted(places) and places[-1] - places[0] > 20
    empty = torch.stack([alpha for _, alpha in frames]).amax(0) == 0
    noise = frames[0][0][:, empty] - scene.background[:, empty]
    assert noise.abs().mean() < 0.1


def test_flicker_is_the_change_of_the_error():
    true = [torch.zeros(4, 4)] * 3
    assert steadiness([torch.full((4, 4), 0.5)] * 3, true).flicker == 0
    blinking = steadiness([torch.full((4, 4), value) for value in (0.0, 0.5, 0.0)], true)
    assert blinking.flicker == 0.5 and abs(blinking.mse - 0.25 / 3) < 1e-6
