"""Several packs read as one: photographs known by their names, and masks that people drew."""

from pathlib import Path

import numpy as np
import pytest
import torch
from training_packs import disc, encoded, index, write_tar

from omnialpha_cli.lab.data.sources import MASK_BAND_WEIGHT, is_hard_mask, mask_weights
from omnialpha_cli.lab.train.image_encoder import alpha_loss
from omnialpha_cli.lab.train.material import make_material
from omnialpha_cli.lab.train.packs import Packs, read_held_out, read_packs
from omnialpha_cli.lab.train.triplets import Mix, draw_triplet
from omnialpha_cli.status import UsageError


def mask_of(size: int = 96, *, open_part: bool = False) -> np.ndarray:
    mask = np.zeros((size, size), np.uint8)
    mask[size // 4 : -size // 4, size // 4 : -size // 4] = 255
    if open_part:
        mask[size // 4 - 10 : size // 4] = 128
    return mask


def pack(path: Path, rows: list[tuple[str, np.ndarray, float, str]], source: str = "") -> Path:
    """Write a pack of (name, alpha, confidence, split)."""
    files: dict[str, bytes] = {}
    for name, alpha, _, _ in rows:
        rgb = np.random.default_rng(0).integers(0, 255, (*alpha.shape, 3)).astype(np.uint8)
        files[f"{name}.jpg"], files[f"{name}.png"] = encoded(rgb, "JPEG"), encoded(alpha, "PNG")
    table = [[name, confidence, split, source] for name, _, confidence, split in rows]
    return write_tar(path, files | {"index.csv": index(["name", "confidence", "split", "source"], table)})


@pytest.fixture(scope="module")
def both(tmp_path_factory) -> list[Path]:
    folder, matte = tmp_path_factory.mktemp("packs"), disc(64, 0)[..., 3]
    mattes = [("bsds_1", matte, 0.9, "train"), ("bsds_2", matte, 0.9, "train"), ("n_3", matte, 0.9, "val")]
    masks = [("sod_1", mask_of(), 1.0, "train"), ("sod_2", mask_of(), 1.0, "val"), ("n_4", mask_of(), 1.0, "train")]
    return [pack(folder / "mattes.tar", mattes), pack(folder / "masks.tar", masks, "sod")]


def test_a_photograph_of_two_packs_is_read_once_with_the_surer_label(both):
    photos = read_packs(both).photos
    assert [(photo.name, photo.source) for photo in photos] == [("sod_1", "sod"), ("n_4", "sod")]


def test_what_one_pack_holds_out_no_pack_trains(both):
    assert [photo.name for photo in read_packs(both).photos_val] == ["sod_2", "n_3"]
    assert [photo.name for photo in read_packs(both[:1]).photos] == ["bsds_1", "bsds_2"]
    assert [(one.name, one.source) for one in read_held_out(both, "photo")] == [("sod_2", "sod"), ("n_3", "mattes")]


def test_names_of_folders_without_an_index_mean_nothing_elsewhere(tmp_path):
    rgba = disc(48, 0)
    files = {"1.jpg": encoded(rgba[..., :3], "JPEG"), "1.png": encoded(rgba[..., 3], "PNG")}
    places = [write_tar(tmp_path / name, files) for name in ("a.tar", "b.tar")]
    assert [photo.source for photo in read_packs(places).photos] == ["a", "b"]


def test_a_confidence_that_is_no_number_is_named(tmp_path):
    place = pack(tmp_path / "p.tar", [("a", mask_of(), "sure", "train")])  # type: ignore[list-item]
    with pytest.raises(UsageError, match="confidence of a is no number: sure"):
        read_packs([place])


def test_masks_that_people_drew_differ_from_mattes():
    assert is_hard_mask(mask_of()) and is_hard_mask(mask_of(open_part=True))
    assert not is_hard_mask(disc(256, 0)[..., 3])


def test_the_outline_of_a_mask_counts_little_and_what_it_leaves_open_nothing():
    weights = mask_weights(mask_of(open_part=True))
    row = weights[48]
    assert (row[:22] == 255).all() and (row[22:26] == MASK_BAND_WEIGHT).all() and (row[26:70] == 255).all()
    assert (weights[14:24] == 0).all() and (weights[:12] == 255).all()


def test_a_photograph_s_view_has_the_weights_of_its_mask(both):
    material = make_material(read_packs(both[1:]))
    triplet = draw_triplet(material, Mix(photo=1, recomposed=0, cutout=0), (96, 96), torch.Generator().manual_seed(0))
    alpha, weight = triplet.foreground[3], triplet.weight[0]
    soft = (alpha > 0.3) & (alpha < 0.7)
    assert float(weight[soft].mean()) < 0.3 < 0.9 < float(weight.mean())


def test_a_mask_over_another_picture_is_soft_and_counts(both):
    material = make_material(read_packs(both[1:]))
    foreground = material.foregrounds[0].rgba[..., 3]
    assert 0 < foreground[0, 40] < 255
    mix = Mix(photo=0, recomposed=1, cutout=0)
    assert bool((draw_triplet(material, mix, (64, 64), torch.Generator().manual_seed(0)).weight == 1).all())


def test_a_mask_that_leaves_a_part_open_is_not_put_over_another_picture(tmp_path):
    rows = [("a", mask_of(), 1.0, "train"), ("b", mask_of(open_part=True), 1.0, "train")]
    material = make_material(Packs(read_packs([pack(tmp_path / "p.tar", rows)]).photos, [], [], [], []))
    assert [one.name for one in material.photos] == ["a", "b"] and [one.name for one in material.foregrounds] == ["a"]


def test_a_loss_on_alpha_does_not_see_what_weighs_nothing():
    alpha, weight = torch.zeros(2, 1, 64, 64), torch.ones(2, 1, 64, 64)
    alpha[:, :, 16:48, 16:48], weight[:, :, :16] = 1, 0
    logits, coarse = ((alpha[..., ::step, ::step] - 0.5) * 6 for step in (2, 16))
    wrong = alpha.clone()
    wrong[:, :, :16] = 1
    values = [float(alpha_loss(logits, coarse, one, weight)[0]) for one in (alpha, wrong)]
    assert values[0] == pytest.approx(values[1], rel=0.1)  # but for windows of SSIM on the border
    assert float(alpha_loss(logits, coarse, wrong, torch.ones_like(weight))[0]) > values[0] * 3
