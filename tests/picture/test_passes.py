"""Removal and decomposition in two passes, for weights that were not trained on them as a whole."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from model.mini.test_generator import BOTH, with_generator
from tiny_model import tiny_model

from omnialpha_cli.api import OmniAlpha
from omnialpha_cli.imaging.canvas import resample
from omnialpha_cli.imaging.composite import over, place_on_ground
from omnialpha_cli.imaging.removal.fill import fill_mask, paint_over
from omnialpha_cli.media.image import from_array
from omnialpha_cli.model.mini.model import Mini
from omnialpha_cli.model.omnialpha import Request
from omnialpha_cli.picture.infer import second_pass
from omnialpha_cli.picture.prepare import prepare
from omnialpha_cli.picture.settings import Settings
from omnialpha_cli.status import ItemError
from omnialpha_cli.tasks import TASKS, passes, with_layers

KNOWN = ("matte.auto", "matte.text", "matte.trimap", "remove.mask")


@pytest.mark.parametrize(
    ("task", "way"),
    [
        ("remove.mask", ["remove.mask"]),
        ("remove.text", ["matte.text", "remove.mask"]),
        ("remove.auto", ["matte.auto", "remove.mask"]),
        ("decompose.auto", ["matte.auto", "remove.mask"]),
        ("decompose.trimap", ["matte.trimap", "remove.mask"]),
        ("decompose.mask", []),  # the matte of a mask is not known
        ("matte.mask", []),
        ("matte.text", ["matte.text"]),
        ("generate.scene", []),
    ],
)
def test_a_way_is_a_matte_and_then_a_removal(task, way):
    assert [one.name for one in passes(TASKS[task], KNOWN)] == way


def test_of_two_objects_a_matte_does_not_tell():
    assert not passes(with_layers(TASKS["decompose.auto"], 3), KNOWN)


@pytest.mark.parametrize(
    ("task", "second"),
    [("matte.text", "matte.rough-mask"), ("remove.text", "remove.mask"), ("decompose.text", "remove.mask")],
)
def test_words_choose_from_the_automatic_matte_where_mattes_by_words_are_not_known(task, second):
    known = ("matte.auto", "matte.rough-mask", "remove.mask")
    assert [one.name for one in passes(TASKS[task], known)] == ["matte.auto", second]


@pytest.mark.parametrize(
    ("task", "way"),
    [
        ("complete.foreground-background", ["generate.background"]),
        ("complete.foreground-scene", ["generate.background"]),
        ("complete.background-foreground", ["generate.foreground"]),
        ("complete.background-scene", ["generate.foreground"]),
        ("generate.scene", ["generate.background", "generate.foreground"]),
    ],
)
def test_what_a_completion_lacks_is_made_from_words_alone(task, way):
    assert [one.name for one in passes(TASKS[task], ("generate.foreground", "generate.background"))] == way
    assert not passes(TASKS[task], ("matte.auto",))


def test_with_a_clean_plate_the_object_is_matted_as_without():
    for known in (("matte.auto",), tuple(TASKS)):
        assert passes(TASKS["matte.background"], known) == (TASKS["matte.auto"],)


@pytest.mark.parametrize("task", [name for name in TASKS if name != "matte.background"])
def test_who_was_trained_on_a_task_does_it_at_once(task):
    assert passes(TASKS[task], tuple(TASKS)) == (TASKS[task],)


class Recorder(Mini):
    """Keeps its requests. Its mattes are a square in the middle, its backgrounds what it is shown."""

    def __init__(self, fill: bool = True, tasks: tuple[str, ...] = KNOWN):
        super().__init__(**vars(tiny_model()))
        self.tasks, self.asked = tasks, []
        self.defaults = replace(self.defaults, fill=fill, mirror=False)

    def run_batches(self, requests, steps=None, guidance=None, batch_size=None):
        self.asked.append(requests)
        yield range(len(requests)), [[self.made(request)] for request in requests]

    def made(self, request):
        layer = request.inputs[0].clone()
        if request.task == "remove.mask":
            layer[3] = 1
        else:
            layer[3] = 0
            layer[3, 16:48, 16:48] = 1
        return layer


@pytest.fixture
def photo():
    rng = np.random.default_rng(0)
    picture = rng.integers(90, 110, (64, 64, 3), dtype=np.uint8)
    picture[20:44, 20:44] = (250, 10, 10)
    return picture


@pytest.mark.parametrize("fill", [False, True])
def test_what_is_found_first_is_the_mask_of_the_second_pass(photo, fill):
    model = Recorder(fill)
    OmniAlpha(model).remove(photo, text="red cat")
    (first,), (second,) = model.asked
    assert first.prompt == TASKS["matte.text"].prompt.replace("{text}", "red cat")
    scene = torch.from_numpy(photo).permute(2, 0, 1) / 255
    torch.testing.assert_close(first.inputs[0][:3], scene)
    mask = torch.zeros(64, 64)
    mask[16:48, 16:48] = 1
    torch.testing.assert_close(second.inputs[1][0], mask)
    torch.testing.assert_close(second.inputs[0][:3], paint_over(scene, mask) if fill else scene)
    assert second.inpaint_mask is None if not fill else torch.equal(second.inpaint_mask, fill_mask(mask))


def test_a_removal_takes_the_found_object_alone(photo):
    result = OmniAlpha(Recorder()).remove(photo)
    assert np.array_equal(result[:12, :, :3], photo[:12])
    assert (np.abs(result[20:44, 20:44, :3].astype(int) - 100) < 30).all()


@pytest.mark.slow
def test_the_edge_of_what_is_found_goes_too(photo):
    """By as much as was painted over on the canvas, in pixels of the photograph."""
    large = photo.repeat(4, 0).repeat(4, 1)
    large[60:68], large[188:196] = 0, 0  # an outline of two pixels of the canvas, half of them outside of the matte
    result = OmniAlpha(Recorder()).remove(large, canvas=64)
    assert (result[58:198, 90:160, :3] > 60).all()


def test_a_decomposition_has_the_matte_and_what_is_behind(photo):
    background, foreground = OmniAlpha(Recorder()).decompose(photo)
    assert foreground[32, 32].tolist() == [250, 10, 10, 255]
    assert foreground[2, 2, 3] == 0
    assert (np.abs(background[20:44, 20:44, :3].astype(int) - 100) < 30).all()
    over = np.where(foreground[..., 3:] == 255, foreground[..., :3], background[..., :3])
    solid = np.isin(foreground[..., 3], (0, 255))
    assert np.array_equal(over[solid], photo[solid])


def test_words_choose_one_of_two_objects():
    class Two(Recorder):
        """Finds two squares; the words are relevant on the left."""

        def made(self, request):
            layer = request.inputs[0].clone()
            layer[3] = request.inputs[-1][0] if len(request.inputs) > 1 else 0
            if len(request.inputs) == 1:
                layer[3, 8:24, 8:24] = layer[3, 40:56, 40:56] = 1
            return layer

        def relevance(self, picture, words):
            assert words == "red cat"
            return torch.tensor([[5.0, -5.0]]).expand(4, 2)

    model = Two(tasks=("matte.auto", "matte.rough-mask", "remove.mask"))
    alpha = OmniAlpha(model).matte(np.full((64, 64, 3), 100, np.uint8), text="red cat")[..., 3]
    assert model.asked[1][0].prompt == TASKS["matte.rough-mask"].prompt
    assert alpha[10:22, 10:22].min() > 250 and alpha[38:58, 38:58].max() == 0


@pytest.mark.parametrize(
    ("logit", "fault"), [(5.0, None), (-1.0, "no red cat found in "), (0.0, "know no word of 'red cat'")]
)
def test_what_is_not_there_is_not_replaced_by_another_thing(photo, logit, fault):
    class Sure(Recorder):
        def relevance(self, picture, words):
            return torch.full((4, 4), logit)

    model = Sure(tasks=("matte.auto", "matte.rough-mask"))
    task, settings = TASKS["matte.text"], Settings(text="red cat")
    prepared = prepare(task, [from_array(photo)], model.defaults, settings, passes(task, model.tasks))
    made = [(prepared, model.run([prepared.request])[0])]
    if fault is not None:
        with pytest.raises(ItemError, match=fault) as raised:
            second_pass(model, made, settings)
        assert raised.value.code == "hint" and "--anyway" in str(raised.value)
    ((after, _),) = second_pass(model, made, replace(settings, anyway=True))
    assert any((fault or "found in") in warning for warning in after.warnings) == (fault is not None)


def drawing() -> OmniAlpha:
    """Draws a cat and a red matte, and two backgrounds."""
    model = with_generator(BOTH)
    model.tasks = ("generate.foreground", "generate.background")
    model.defaults = replace(model.defaults, commands={"generate.foreground": {"canvas": 32}})
    return OmniAlpha(model)


def test_a_scene_is_a_background_and_before_it_what_the_words_begin_with():
    model, words = drawing(), "red cat on this"
    scene = model.generate(words, scene=True, seed=3, size=(90, 60))
    parts = ("generate.background", words, (64, 96)), ("generate.foreground", "red cat", (32, 32))
    prompts = [TASKS[name].prompt.replace("{text}", text) for name, text, _ in parts]
    requests = [
        Request(prompt, (), (size,), 3, task=name) for prompt, (name, _, size) in zip(prompts, parts, strict=True)
    ]
    ((back,), (layer,)) = model.run(requests)
    wanted = over(place_on_ground(layer, 60, 90), resample(back[:3], 60, 90))
    assert scene.shape == (60, 90, 4) and (scene[..., 3] == 255).all()
    assert np.abs(scene[..., :3] / 255 - wanted.permute(1, 2, 0).numpy()).max() < 0.01


def test_a_scene_of_a_place_alone_is_a_background():
    model, words = drawing(), "a red matte"
    prompt = TASKS["generate.background"].prompt.replace("{text}", words)
    ((back,),) = model.run([Request(prompt, (), ((64, 64),), 3, task="generate.background")])
    scene = model.generate(words, scene=True, seed=3)
    assert np.abs(scene[..., :3] / 255 - back[:3].permute(1, 2, 0).numpy()).max() < 0.01
    assert (scene[..., 3] == 255).all()


def test_weights_that_draw_a_whole_scene_are_not_asked_what_stands_in_it():
    with pytest.raises(TypeError, match="as a whole"):
        tiny_model().subject("a cat")
