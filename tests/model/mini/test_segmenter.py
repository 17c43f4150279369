"""The segmenter: EfficientNet-Lite2 below, logits of alpha above."""

import torch

from omnialpha_cli.model.mini.image_encoder import STAGES, channels_of
from omnialpha_cli.model.mini.segmenter import Segmenter


def test_lite2_is_lite0_a_tenth_wider_and_a_fifth_deeper():
    assert [row[4] for row in STAGES["lite2"]] == [1, 3, 3, 4, 4, 5, 1]  # blocks, as published
    assert channels_of("lite2") == (24, 48, 120, 352)
    assert channels_of("lite0") == (24, 40, 112, 320)


def test_logits_come_at_strides_2_and_16():
    network = Segmenter().eval()
    with torch.no_grad():
        fine, coarse = network(torch.rand(2, 3, 64, 96))
    assert fine.shape == (2, 1, 32, 48) and coarse.shape == (2, 1, 4, 6)
    assert round(sum(p.numel() for p in network.parameters()) / 1e6, 1) == 5.1


def test_its_parts_keep_the_names_that_files_have():
    names = {name.split(".")[0] for name in Segmenter().state_dict()}
    assert names == {"backbone", "lateral", "descend", "smooth", "norm", "attention", "coarse", "fine"}


def test_every_part_of_a_picture_knows_of_all_others():
    torch.manual_seed(0)
    network, picture = Segmenter().eval(), torch.rand(1, 3, 64, 192)
    changed = picture.clone()
    changed[..., -32:] = 0
    with torch.no_grad():
        first, second = network(picture)[0], network(changed)[0]
    assert float((first - second)[..., :8].abs().max()) > 0
