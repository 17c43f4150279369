"""From packs to examples of all 21 tasks."""

import pytest
import torch

from omnialpha_cli.lab.train.examples import draw_example, draw_task, shape
from omnialpha_cli.lab.train.hints import rough_mask, trimap
from omnialpha_cli.lab.train.material import crop_to_subject
from omnialpha_cli.lab.train.packs import read_packs
from omnialpha_cli.lab.train.triplets import Mix, draw_triplet
from omnialpha_cli.tasks import TASKS

SIZE = (64, 96)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_packs_are_read_by_split(packs):
    read = read_packs(**{kind: [path] for kind, path in packs.items()})
    assert [len(p) for p in (read.photos, read.photos_val, read.cutouts, read.cutouts_val, read.backgrounds)] == [
        5,
        1,
        2,
        0,
        2,
    ]
    assert read.photos[1].label == "disc"
    assert read.photos[0].rgba.shape == (72, 72, 4)


@pytest.mark.parametrize("name", [name for name in TASKS if name != "run"])
def test_every_task_can_be_drawn(material, name):
    task = TASKS[name]
    example = draw_example(material, Mix(), task, SIZE, generator(3))
    assert [tuple(x.shape) for x in example.inputs] == [(4, *SIZE)] * len(task.inputs)
    assert [tuple(x.shape) for x in example.targets] == [(4, *SIZE)] * len(task.outputs)
    assert all(x.min() >= 0 and x.max() <= 1 for x in example.inputs + example.targets)
    assert "{text}" not in example.prompt
    assert ("disc" in example.prompt) == task.needs_text
    for role, image in zip(task.outputs, example.targets, strict=True):
        assert (image[3].min() < 1) == (role == "foreground")


def test_where_words_choose_there_are_often_two_objects_apart(material):
    found = []
    for seed in range(12):
        one = draw_triplet(material, Mix(photo=0, recomposed=1, cutout=0, two=0.0, sharp=True), SIZE, generator(seed))
        two = draw_triplet(material, Mix(photo=0, recomposed=1, cutout=0, two=1.0, sharp=True), SIZE, generator(seed))
        assert one.background is not None and two.background is not None
        columns, weight = torch.arange(SIZE[1]) / SIZE[1] - 0.5, two.foreground[3].sum(0)
        rows, heights = torch.arange(SIZE[0]) / SIZE[0] - 0.5, two.foreground[3].sum(1)
        if weight.sum() > 0:
            away = [float((x * w).sum() / w.sum()) for x, w in ((columns, weight), (rows, heights))]
            found.append(max(map(abs, away)))
    assert sum(distance > 0.1 for distance in found) >= 0.6 * len(found)  # beside the middle, or above or below it


def test_a_photograph_is_its_own_foreground(material):
    triplet = draw_triplet(material, Mix(photo=1, recomposed=0, cutout=0), SIZE, generator(1))
    assert triplet.background is None
    assert 0.02 < triplet.foreground[3].mean() < 0.8


def test_a_composite_is_its_foreground_where_that_is_opaque(material):
    mix = Mix(photo=0, recomposed=1, cutout=0)
    triplets = [draw_triplet(material, mix, SIZE, generator(s)) for s in range(20)]
    assert all(t.background is not None for t in triplets)
    close = [
        float((t.scene - t.foreground[:3]).abs()[:, t.foreground[3] > 0.999].median()) < 0.03
        for t in triplets
        if (t.foreground[3] > 0.999).any()
    ]
    assert sum(close) >= 0.7 * len(close)  # the rest are blurred or noisy on purpose


def test_draws_depend_on_the_generator_alone(material):
    a, b = (draw_triplet(material, Mix(), SIZE, generator(5)) for _ in range(2))
    assert torch.equal(a.scene, b.scene)
    assert torch.equal(a.foreground, b.foreground)


def test_a_trimap_knows_only_what_is_sure():
    alpha = torch.zeros(1, 32, 32)
    alpha[:, 8:24, 8:24] = 1
    for seed in range(10):
        t = trimap(alpha, generator(seed))
        assert set(t.unique().tolist()) <= {0.0, 0.5, 1.0}
        assert (alpha[t == 1] == 1).all()
        assert (alpha[t == 0] == 0).all()
        assert (t == 0.5).any()


def test_a_rough_mask_is_about_the_object_but_not_it():
    alpha = torch.zeros(1, 64, 64)
    alpha[:, 16:48, 16:48] = 1
    for seed in range(10):
        mask = rough_mask(alpha, generator(seed))
        overlap = (mask * alpha).sum() / torch.maximum(mask, alpha).sum()
        assert 0.4 < overlap < 1


def test_with_fill_a_removal_sees_nothing_of_the_object(material):
    for name in ("remove.mask", "remove.trimap"):
        plain, filled = (draw_example(material, Mix(), TASKS[name], SIZE, generator(3), fill=f) for f in (False, True))
        assert torch.equal(plain.inputs[1], filled.inputs[1])
        outside = torch.nn.functional.max_pool2d(plain.inputs[1][:1], 5, 1, 2)[0] == 0
        assert torch.equal(plain.inputs[0][:, outside], filled.inputs[0][:, outside])
        assert not torch.equal(plain.inputs[0], filled.inputs[0])


def test_subjects_that_the_frame_cuts_or_that_are_tiny_are_not_reused(material):
    rgba = material.photos[0].rgba
    cropped = crop_to_subject(rgba)
    assert cropped is not None
    assert cropped.shape[0] < rgba.shape[0]
    cut = rgba.copy()
    cut[:, :, 3] = 255
    assert crop_to_subject(cut) is None
    cut[:, :, 3] = 0
    assert crop_to_subject(cut) is None


def test_tasks_are_drawn_by_weight():
    drawn = {draw_task({"matte.auto": 1, "matte.text": 0}, generator(s)).name for s in range(20)}
    assert drawn == {"matte.auto"}


def test_a_name_alone_brings_forth_a_cutout_as_it_was_drawn(material):
    task = TASKS["generate.foreground"]
    assert shape(material, task, generator()) == (1, 1)
    drawn = [draw_example(material, Mix(), task, (64, 64), generator(seed)) for seed in range(6)]
    names = {picture.label for picture in material.cutouts}
    for one in drawn:
        (foreground,) = one.targets
        words = one.prompt.removeprefix("Generate a transparent-background RGBA image. ")
        assert words.removeprefix("a ").removeprefix("an ") in names
        assert 0.1 < foreground[3].mean() < 0.95
    assert len({one.prompt for one in drawn}) > 1


def test_a_removal_s_background_is_the_scene_s_own(material):
    """Not a sharper or cleaner one: what the object does not touch stays as it is."""
    for seed in range(8):
        example = draw_example(material, Mix(), TASKS["remove.mask"], (64, 64), generator(seed))
        (scene, mask), (background,) = example.inputs, example.targets
        same = (scene[:3] - background[:3]).abs().amax(0)[mask[0] == 0] < 1e-5
        assert same.float().mean() > 0.2
