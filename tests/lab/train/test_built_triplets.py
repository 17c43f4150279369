"""Training on triplets that were built: every task from one of them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from training_packs import WORDS, triplet

from omnialpha_cli.imaging.composite import over
from omnialpha_cli.lab.data.captions import Captions
from omnialpha_cli.lab.data.shards import Sample, Shards, write_shard
from omnialpha_cli.lab.train.examples import draw_example
from omnialpha_cli.lab.train.material import make_material, photo_of_shape
from omnialpha_cli.lab.train.packs import Packs
from omnialpha_cli.lab.train.triplets import Mix, draw_triplet
from omnialpha_cli.status import UsageError
from omnialpha_cli.tasks import TASKS

SIZE = (64, 96)
NOTHING = Packs([], [], [], [], [])


def material(tmp_path: Path, *samples: Sample):
    write_shard(tmp_path / "00000.tar", samples)
    return make_material(NOTHING, Shards(tmp_path))


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", [name for name in TASKS if name != "run"])
def test_every_task_is_drawn_from_one_triplet(tmp_path, name):
    task, one = TASKS[name], material(tmp_path, triplet())
    assert photo_of_shape(one, generator(0)) == (48, 64)
    example = draw_example(one, Mix(), task, SIZE, generator(3))
    assert [tuple(x.shape) for x in example.inputs] == [(4, *SIZE)] * len(task.inputs)
    assert [tuple(x.shape) for x in example.targets] == [(4, *SIZE)] * len(task.outputs)
    pictures = dict(zip(task.inputs + task.outputs, example.inputs + example.targets, strict=True))
    for role, image in pictures.items():
        assert image.min() >= 0 and image.max() <= 1
        assert (image[3].min() < 1) == (role == "foreground")
    for hint in ("trimap", "mask"):
        if hint in pictures:
            assert set(pictures[hint][0].unique().tolist()) <= {0.0, 0.5, 1.0}
    if task.needs_text:
        wanted = getattr(WORDS, task.outputs[0]) if task.command in ("generate", "complete") else "apple"
        assert wanted in example.prompt
    else:
        assert example.prompt == task.prompt


def views(tmp_path, mix: Mix, seed: int):
    one = draw_triplet(material(tmp_path, triplet()), mix, SIZE, generator(seed))
    assert one.background is not None
    return one, (one.scene - over(one.foreground, one.background)).abs().mean()


def test_a_scene_has_its_shadow_unless_its_layers_have_to_make_it_up(tmp_path):
    for seed in range(8):
        _, with_effects = views(tmp_path, Mix(), seed)
        _, without = views(tmp_path, Mix(effects=False), seed)
        assert with_effects > without


def test_all_pictures_of_a_triplet_are_seen_alike(tmp_path):
    layers = triplet().pictures
    scene = np.where(layers["foreground"][..., 3:] > 0, layers["foreground"][..., :3], layers["background"])
    plain = triplet(pictures={**layers, "scene": scene}, effects=())
    errors = []
    for seed in range(12):
        one = draw_triplet(material(tmp_path, plain), Mix(), SIZE, generator(seed))
        errors.append(float((one.scene - over(one.foreground, one.background)).abs().mean()))
    assert np.median(errors) < 0.01  # some are blurred or noisy on purpose


def test_of_a_mask_only_the_background_is_drawn(tmp_path):
    one = material(tmp_path, triplet(kind="pair", alpha="mask"))
    for name in ("remove.mask", "remove.auto", "complete.background-scene"):
        assert draw_example(one, Mix(), TASKS[name], SIZE, generator(0)).task.name == name
    with pytest.raises(UsageError, match="none serves"):
        draw_example(one, Mix(), TASKS["matte.auto"], SIZE, generator(0))


def test_where_another_object_could_be_meant_the_task_has_to_tell_which(tmp_path):
    one = material(tmp_path, triplet(others=("dog",)))
    for name in ("matte.mask", "matte.text", "remove.trimap"):
        draw_example(one, Mix(), TASKS[name], SIZE, generator(0))
    with pytest.raises(UsageError, match="none serves"):
        draw_example(one, Mix(), TASKS["matte.auto"], SIZE, generator(0))


def test_without_words_no_task_that_needs_them(tmp_path):
    one = material(tmp_path, triplet(label="", captions=Captions("", "a table", "")))
    assert draw_example(one, Mix(), TASKS["complete.foreground-background"], SIZE, generator(0)).prompt.endswith(
        "a table"
    )
    with pytest.raises(UsageError, match=r"matte\.text needs words"):
        draw_example(one, Mix(), TASKS["matte.text"], SIZE, generator(0))


def test_built_triplets_are_drawn_beside_photographs(tmp_path, packs):
    from omnialpha_cli.lab.train.packs import read_packs

    write_shard(tmp_path / "00000.tar", [triplet()])
    both = make_material(read_packs(**{kind: [path] for kind, path in packs.items()}), Shards(tmp_path))
    labels = {draw_triplet(both, Mix(), SIZE, generator(seed)).label for seed in range(30)}
    assert "apple" in labels and len(labels) > 1
    assert {"apple", "a wooden table", "disc"} <= both.words()


def test_held_out_triplets_are_not_trained_on(tmp_path):
    write_shard(tmp_path / "00000.tar", [triplet(split="val")])
    with pytest.raises(UsageError, match="of the split val, which training leaves out"):
        Shards(tmp_path, training=True)
