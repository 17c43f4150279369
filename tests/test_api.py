"""The model in Python: pictures of every kind in, arrays of their size and depth out."""

import inspect
import io
import warnings
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as PILImage

from omnialpha_cli import DeviceError, ItemError, OmniAlpha, OmniAlphaWarning, UsageError, WeightsError


@pytest.fixture(scope="module")
def model(tiny_weights):
    return OmniAlpha.load(tiny_weights, device="cpu")


@pytest.mark.slow
def test_a_path_a_pil_image_and_an_array_are_the_same_picture(model, picture, tmp_path):
    path = picture(tmp_path / "a.png")
    pil = PILImage.open(path)
    rgba = model.matte(path)
    assert rgba.shape == (32, 48, 4) and rgba.dtype == np.uint8
    assert (model.matte(str(path)) == rgba).all()
    assert (model.matte(pil) == rgba).all()
    assert (model.matte(np.asarray(pil)) == rgba).all()
    assert (model.matte(path.read_bytes()) == rgba).all()
    with path.open("rb") as file:
        assert (model.matte(file) == rgba).all()


def test_the_depth_of_the_picture_is_kept(model, picture, tmp_path):
    array = np.asarray(PILImage.open(picture(tmp_path / "a.png")))
    assert model.matte(array.astype(np.uint16) * 257).dtype == np.uint16
    floats = model.matte(array.astype(np.float32) / 255)
    assert floats.dtype == np.float32 and floats.min() >= 0 and floats.max() <= 1
    assert np.abs(floats * 255 - model.matte(array)).max() <= 1


def test_a_pictures_own_alpha_is_multiplied_in(model, picture, tmp_path):
    array = np.asarray(PILImage.open(picture(tmp_path / "a.png", mode="RGBA"))).copy()
    array[:16, :, 3] = 0
    assert (model.matte(array)[:16, :, 3] == 0).all()


@pytest.mark.parametrize("constant", [0, 255])
def test_a_constant_alpha_is_ignored(model, picture, tmp_path, constant):
    rgb = np.asarray(PILImage.open(picture(tmp_path / "a.png")))
    rgba = np.dstack((rgb, np.full(rgb.shape[:2], constant, np.uint8)))
    assert (model.matte(rgba) == model.matte(rgb)).all()


def test_the_seed_decides(model, picture, tmp_path):
    path = picture(tmp_path / "a.png")
    assert (model.matte(path, seed=1) == model.matte(path, seed=1)).all()
    assert (model.matte(path, seed=1) != model.matte(path, seed=2)).any()


def test_a_command_has_the_steps_that_its_weights_want(model):
    own = {"generate": {"steps": 3, "guidance": 2.0, "canvas": 32}}
    model = OmniAlpha(replace(model.model, defaults=replace(model.model.defaults, steps=1, commands=own)))
    made = model.generate("a cat")
    assert made.shape == (32, 32, 4)
    assert np.array_equal(made, model.generate("a cat", steps=3, guidance=2.0))
    assert not np.array_equal(made, model.generate("a cat", steps=1))


def test_a_task_may_want_something_else_than_its_command(model, picture, tmp_path):
    own = {"generate": {"canvas": 32, "steps": 3}}
    own |= {f"generate.{wide}": {"canvas": 96} for wide in ("scene", "background")}
    model = OmniAlpha(replace(model.model, defaults=replace(model.model.defaults, steps=1, commands=own)))
    assert model.generate("a cat").shape == (32, 32, 4)
    scene = model.generate("a cat", scene=True)
    assert scene.shape == (96, 96, 4) and np.array_equal(scene, model.generate("a cat", scene=True, steps=3))
    # A completion that is made from words alone wants what that wants.
    model, path = OmniAlpha(replace(model.model, tasks=("generate.background",))), picture(tmp_path / "a.png")
    wanted = {"given": "foreground", "want": "background"}
    made = model.complete(path, "a cat", **wanted)
    assert np.array_equal(made, model.complete(path, "a cat", **wanted, canvas=96, steps=3))


def test_every_command_is_a_method(model, picture, tmp_path):
    path, mask = picture(tmp_path / "a.png"), np.zeros((32, 48), np.uint8)
    mask[14:24, 15:30] = 255
    clean = model.remove(path, mask=mask)
    assert (clean[:10] == np.dstack((np.asarray(PILImage.open(path)), np.full((32, 48), 255)))[:10]).all()
    background, *foregrounds = model.decompose(path, layers=3, untrained=True)
    assert len(foregrounds) == 2 and (background[..., 3] == 255).all()
    assert model.generate("a cat", size=(80, 48)).shape == (48, 80, 4)
    assert model.generate("a cat", scene=True).shape == (64, 64, 4)
    assert model.complete(path, "a cat", given="background", want="foreground").shape == (32, 48, 4)


def test_a_hint_chooses_the_task(model, picture, tmp_path):
    path, mask = picture(tmp_path / "a.png"), picture(tmp_path / "m.png", seed=5)
    results = [model.matte(path, **hint) for hint in ({}, {"text": "cat"}, {"mask": mask}, {"background": path})]
    assert all((one != other).any() for i, one in enumerate(results) for other in results[:i])
    with pytest.raises(UsageError, match="mask and background exclude each other"):
        model.matte(path, mask=mask, background=path)
    with pytest.raises(UsageError, match="nothing to complete"):
        model.complete(path, "a cat", given="foreground", want="foreground")


def test_faults_are_exceptions_that_say_what_is_wrong(model, tiny_weights, tmp_path):
    with pytest.raises(ItemError, match="does not exist"):
        model.matte(tmp_path / "gone.png")
    with pytest.raises(WeightsError, match="unheard-of"):
        OmniAlpha.load("unheard-of")
    with pytest.raises(DeviceError, match="nowhere"):
        OmniAlpha.load(tiny_weights, device="nowhere")


def test_a_boolean_mask_is_black_and_white(model, picture, tmp_path):
    path, mask = picture(tmp_path / "a.png"), np.zeros((32, 48), bool)
    mask[10:20, 15:30] = True
    assert (model.remove(path, mask=mask) == model.remove(path, mask=mask.astype(np.uint8) * 255)).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps=0: give a whole number from 1"),
        ({"steps": 1.5}, "steps=1.5: give a whole number from 1"),
        ({"canvas": 8}, "canvas=8: give a whole number from 64"),
        ({"seed": -1}, "seed=-1: give a whole number from 0"),
        ({"seed": True}, "seed=True: give a whole number from 0"),
        ({"guidance": float("nan")}, "guidance=nan: give a number from 0"),
        ({"text": " "}, "text=' ': give words"),
        ({"refine": "best"}, "refine='best': give 'guided', 'laplacian' or 'none'"),
        ({"despill": "red"}, "despill='red': give 'green', 'blue' or 'auto'"),
    ],
)
def test_values_that_the_command_refuses_are_refused(model, picture, tmp_path, options, message):
    with pytest.raises(UsageError) as refused:
        model.matte(picture(tmp_path / "a.png"), **options)
    assert str(refused.value) == message


def test_words_layers_and_ways_to_load_are_checked_too(model, picture, tmp_path, tiny_weights):
    path = picture(tmp_path / "a.png")
    with pytest.raises(UsageError, match="prompt='': give words"):
        model.generate("")
    with pytest.raises(UsageError, match="layers=1: give a number from 2 to 9"):
        model.decompose(path, layers=1)
    with pytest.raises(UsageError, match="width=8: give a whole number from 16"):
        model.generate("a cat", size=(8, 64))
    with pytest.raises(UsageError, match="memory='none': give 'auto', 'resident', 'stream' or 'cpu'"):
        OmniAlpha.load(tiny_weights, memory="none")


def test_untrained_tasks_are_refused_by_their_name(model, picture, tmp_path):
    path = picture(tmp_path / "a.png")
    with pytest.raises(UsageError, match=r"into 2 layers, not into 3; untrained=True runs it anyway"):
        model.decompose(path, layers=3)
    assert len(model.decompose(path, layers=3, untrained=True)) == 3


def test_what_the_command_warns_of_is_a_warning(model, picture, tmp_path):
    path = picture(tmp_path / "a.png")
    with pytest.warns(OmniAlphaWarning, match="^mask is black: nothing was removed"):
        model.remove(path, mask=np.zeros((32, 48), bool))
    with pytest.warns(OmniAlphaWarning, match=f"^{path}: its alpha channel was ignored"):
        model.remove(picture(path, mode="RGBA"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.matte(picture(path))


def test_messages_name_the_argument_and_what_is_wrong_with_it(model, picture, tmp_path):
    path = picture(tmp_path / "a.png")
    with pytest.raises(ItemError, match=r"^mask: an array of shape \(2, 3, 4, 5\) is not a picture: give \(H, W\)"):
        model.matte(path, mask=np.zeros((2, 3, 4, 5)))
    with pytest.raises(ItemError, match=r"^mask is 48×48, .*a\.png is 48×32: .* scale it or crop it to 48×32"):
        model.matte(path, mask=np.zeros((48, 48), bool))
    with pytest.raises(ItemError, match=r"^image is not an image: expected JPEG"):
        model.matte(io.BytesIO(b"no picture at all"))
    whole = path.read_bytes()
    cut = PILImage.open(io.BytesIO(whole[: len(whole) // 2]))  # it is decoded when its pixels are asked for
    with cut, pytest.raises(ItemError, match=r"^image: it cannot be read: .*truncated"):
        model.matte(cut)


def test_help_lists_every_option():
    listed = inspect.signature(OmniAlpha.matte).parameters
    assert {"text", "trimap", "mask", "rough_mask", "background", "refine", "despill", "seed", "steps", "guidance",
            "canvas", "untrained"} < set(listed)  # fmt: skip
    assert (listed["refine"].default, listed["seed"].default, listed["mask"].default) == ("guided", 0, None)


def test_trim_and_flatten_are_those_of_the_command(tiny_weights, picture, tmp_path):
    model = OmniAlpha.load(tiny_weights, device="cpu")
    photo = picture(tmp_path / "a.png")
    whole, cut = model.matte(photo), model.matte(photo, trim=1)
    left, top = cut.offset
    assert (whole[top : top + cut.shape[0], left : left + cut.shape[1]] == cut).all()
    (outcome,) = model.many("matte", [photo], trim=1)
    assert outcome.result.offset == cut.offset and outcome.result.shape == cut.shape
    flat, alpha = model.matte(photo, flatten="white"), whole[..., 3:] / 255
    assert np.abs(flat[..., :3] - (whole[..., :3] * alpha + 255 * (1 - alpha))).max() < 1.5  # roundings
    assert (flat[..., 3] == 255).all()
    for options, message in (({"flatten": "nothing"}, "is no opaque colour"), ({"trim": -1}, "trim=-1: give a whole")):
        with pytest.raises(UsageError, match=message):
            model.matte(photo, **options)


def test_mattes_bound_a_matte_as_those_of_the_command_do(model, picture, tmp_path):
    photo = picture(tmp_path / "a.png", (96, 64))
    left, right, mask = np.zeros((3, 64, 96), bool)
    left[:, :40], right[:, 60:], mask[20:40, 40:60] = True, True, True
    made = model.matte(photo, hold_out=left, core=right)
    assert (made[:, :40, 3] == 0).all() and (made[:, 60:, 3] == 255).all()
    (outcome,) = model.many("matte", [photo], hold_out=[left], core=right)
    assert (outcome.result == made).all()
    near = model.matte(photo, mask=mask, mask_slack=3)[..., 3]
    assert not near[:16].any() and not near[:, :36].any() and not near[44:].any() and not near[:, 64:].any()
    with pytest.raises(UsageError, match="mask_slack"):
        model.matte(photo, mask=mask, mask_slack=-1)
    with pytest.raises(UsageError, match="core: for 'matte', not for 'decompose'"):
        model.decompose(photo, core=right)
    with pytest.raises(ItemError, match="hold_out is 96×32"):
        model.matte(photo, hold_out=left[:32])


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("matte", {"steady": True}, "steady: no option of 'matte'; it has background, "),  # the command's alone
        ("matte", {"layer": "beauty"}, "layer: no option of 'matte'; it has "),
        ("matte", {"depth": "16"}, "depth: no option of 'matte'; it has "),
        ("matte", {"options": 1}, "options: no option of 'matte'; it has "),
        ("matte", {"effects": True}, "effects: for 'remove' and 'decompose', not for 'matte'"),
        ("remove", {"trim": 1}, "trim: for 'matte' and 'decompose', not for 'remove'"),
        ("remove", {"background": None}, "background: for 'matte', not for 'remove'"),
        ("decompose", {"grow": 2}, "grow: for 'remove', not for 'decompose'"),
    ],
)
def test_an_option_that_would_change_nothing_is_refused(model, picture, tmp_path, method, options, message):
    path = picture(tmp_path / "a.png")
    with pytest.raises(UsageError, match=f"^{message}"):
        getattr(model, method)(path, **options)
    with pytest.raises(UsageError, match=f"^{message}"):
        model.many(method, [path], **options)


def test_what_is_made_from_words_refuses_them_too(model, picture, tmp_path):
    with pytest.raises(UsageError, match=r"^width: no option of 'generate'; it has scene, size, seed"):
        model.generate("a cat", width=64)
    with pytest.raises(UsageError, match=r"^sampling: no option of 'generate'; it has scene, size, seed"):
        model.generate("a cat", sampling=64)
    with pytest.raises(UsageError, match=r"^mask: for 'matte' and 'remove' and 'decompose', not for 'complete'"):
        model.complete(picture(tmp_path / "a.png"), "a cat", given="background", want="foreground", mask=None)


def test_many_takes_no_single_picture(model, picture, tmp_path):
    path = picture(tmp_path / "a.png")
    for one in (str(path), path, path.read_bytes(), np.zeros((8, 9, 3), np.uint8), np.zeros((8, 9), np.uint8)):
        with pytest.raises(UsageError, match=r"^pictures: that is a single one; give a list of them, or ask `matte`"):
            model.many("matte", one)
    assert len(list(model.many("matte", np.zeros((2, 8, 9, 3), np.uint8)))) == 2


def test_a_number_type_is_torchs(tiny_weights):
    with pytest.raises(UsageError, match=r"dtype='float32': give torch.float32, .* or None"):
        OmniAlpha.load(tiny_weights, dtype="float32")


def test_messages_call_options_by_their_keywords(model, picture, tmp_path):
    path = picture(tmp_path / "a.png")
    with pytest.warns(OmniAlphaWarning, match="so despill auto changed nothing"):
        model.matte(path, despill="auto")
    (outcome,) = model.many("matte", [path], despill="auto")
    assert any("so despill auto changed nothing" in warning for warning in outcome.warnings)


def test_errors_call_options_by_their_keywords(tiny_weights, monkeypatch):
    def fail(*_: object):
        raise DeviceError("a--seed.png: leave --compile out, or raise --max-pixels")  # which is no keyword

    monkeypatch.setattr("omnialpha_cli.api.load_model", fail)
    with pytest.raises(DeviceError, match=r"^a--seed\.png: leave compile_blocks out, or raise --max-pixels"):
        OmniAlpha.load(tiny_weights)


def test_warnings_are_of_the_callers_line(model, picture, tmp_path):
    path = picture(tmp_path / "a.png")
    with pytest.warns(OmniAlphaWarning) as told:
        model.complete(path, "a cat", given="foreground", want="background")
        model.matte(path, despill="auto")
    assert {warning.filename for warning in told} == {__file__} and len(told) == 2


def test_values_of_an_array_that_are_no_numbers_are_told(model):
    plate = np.full((32, 48, 3), 0.5, np.float32)
    plate[3, 4] = np.nan
    with pytest.warns(OmniAlphaWarning, match="^image has 1 pixels that are not numbers or infinite"):
        model.matte(plate)
