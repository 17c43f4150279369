"""Seams: pieces that are copied meet what is around them, and each other, without a step."""

import torch

from omnialpha_cli.imaging.removal.patches import join


def test_a_piece_of_another_brightness_is_lit_as_what_is_around_it():
    image = torch.full((3, 24, 40), 0.5)
    image[:, :, 20:] = 0.8
    mask = torch.zeros(24, 40, dtype=torch.bool)
    mask[8:16, 6:14] = True
    offsets = torch.zeros(2, 24, 40, dtype=torch.long)
    offsets[1] = 20  # from the brighter side
    light = join(image, mask, offsets)
    assert torch.allclose(light[:, mask], torch.tensor(-0.3), atol=0.01)


def test_two_pieces_meet_without_a_step():
    image = torch.full((3, 24, 60), 0.5)
    image[:, :, 40:] = 0.8
    mask = torch.zeros(24, 60, dtype=torch.bool)
    mask[8:16, 10:20] = True
    offsets = torch.zeros(2, 24, 60, dtype=torch.long)
    offsets[1, :, :15], offsets[1, :, 15:] = 12, 35
    copied = image[:, torch.arange(24)[:, None], (torch.arange(60) + offsets[1]).clamp(max=59)]
    joined = copied + join(image, mask, offsets)
    assert (joined[:, mask] - 0.5).abs().max() < 0.02
