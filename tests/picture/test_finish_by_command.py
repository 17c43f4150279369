"""From a picture to the full-size result, for every command, without a network in between."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scenes import disc, textured
from tiny_model import tiny_model

from omnialpha_cli.imaging.canvas import opaque, within
from omnialpha_cli.imaging.colour import likely_colours
from omnialpha_cli.imaging.composite import over
from omnialpha_cli.media.image import Image
from omnialpha_cli.media.samples import to_samples
from omnialpha_cli.model.config import Defaults
from omnialpha_cli.picture.finish import SIDE_IN_BAND, finish
from omnialpha_cli.picture.prepare import Prepared, prepare
from omnialpha_cli.picture.settings import Settings
from omnialpha_cli.status import ItemError
from omnialpha_cli.tasks import TASKS, passes

DEFAULTS = Defaults(steps=1, guidance=1.0, canvas=128, multiple=32)
SIZES = [
    (1, 1), (3, 3), (16, 16), (31, 97),
    pytest.param((7, 4000), marks=pytest.mark.slow), pytest.param((4000, 7), marks=pytest.mark.slow),
]  # fmt: skip
MODEL = tiny_model()  # without specialists


def picture(rgb: torch.Tensor, depth: str = "8") -> Image:
    return Image(rgb.permute(1, 2, 0).contiguous().numpy(), depth=depth)  # type: ignore[arg-type]


def prepared(name: str, rgb: torch.Tensor, hint: torch.Tensor | None = None, depth: str = "8", **more) -> Prepared:
    task = TASKS[name]
    images = [picture(rgb, depth)]
    if len(task.inputs) > 1:
        values = torch.rand(rgb.shape[1:]) if hint is None else hint
        images.append(picture(values.expand(3, -1, -1)))
    return prepare(task, images[: len(task.inputs)], DEFAULTS, Settings(format="tiff", **more))


def painted(work: Prepared, seed: int = 0) -> list[torch.Tensor]:
    """What a network that knows nothing would give."""
    noise = torch.Generator().manual_seed(seed)
    return [torch.rand(4, *size, generator=noise) for size in work.request.targets]


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_any_shape_goes_through_every_task(name, size):
    work = prepared(name, torch.rand(3, *size), text="a thing", height=size[0], width=size[1], despill="auto")
    layers = finish(work, painted(work), Settings(despill="auto"), MODEL)
    assert len(layers) == len(TASKS[name].outputs)
    for layer in layers:
        assert layer.shape == (4, *size)
        assert 0 <= layer.min() <= layer.max() <= 1


@pytest.mark.parametrize("depth", ["8", "16", "half", "float"])
@pytest.mark.parametrize("name", ["matte.auto", "decompose.auto"])
def test_where_the_file_says_opaque_the_colours_are_the_sources(name, depth):
    work = prepared(name, torch.rand(3, 60, 80), depth=depth, enlarge=False)
    *below, layer = painted(work)
    layer[3] = 1 - 2e-5 * (torch.rand(layer.shape[1:]) < 0.5)
    layer[3, :, 20:40] = 1 - 2e-3 * torch.rand(layer.shape[1], 20)
    layer[3, :, 60:] = 0
    front = finish(work, [*below, layer], Settings(refine="none"), MODEL)[-1]
    white = to_samples(np.ones(1, np.float32), depth)
    opaque_in_file = torch.from_numpy(to_samples(front[3].numpy(), depth) == white)
    assert opaque_in_file.any() and not opaque_in_file.all()
    assert (front[:3] == work.plate)[:, opaque_in_file].all()


@pytest.mark.parametrize("name", ["matte.auto", "decompose.auto", "remove.mask", "generate.foreground"])
def test_a_result_that_is_not_finite_fails_its_item(name):
    work = prepared(name, torch.rand(3, 60, 80), text="a thing", height=60, width=80, depth="half")
    layers = painted(work)
    for layer in layers:
        layer[:, 20:40, 20:40] = torch.nan
    with pytest.raises(ItemError, match="NaN or infinite values in ") as failure:
        finish(work, layers, Settings(), MODEL)
    assert failure.value.code == "nonfinite"


@pytest.mark.parametrize("name", ["matte.auto", "decompose.auto", "remove.auto"])
@pytest.mark.parametrize("size", [(60, 1200), (1200, 60)])
def test_what_lies_on_the_letterbox_is_never_seen(name, size):
    work = prepared(name, textured(*size, (0.5, 0.5, 0.5), 0))
    top, left, height, width = work.canvas.box
    assert (height, width) != work.canvas.size
    layers = painted(work)
    spoiled = [torch.full_like(layer, 0.5) for layer in layers]
    for layer, other in zip(layers, spoiled, strict=True):
        other[:, top : top + height, left : left + width] = work.canvas.crop(layer)
    for one, two in zip(finish(work, layers, Settings(), MODEL), finish(work, spoiled, Settings(), MODEL), strict=True):
        assert torch.equal(one, two)


def values(depth: str) -> torch.Tensor:
    """A plate of all that its depth can hold."""
    noise = torch.Generator().manual_seed(0)
    if depth == "float":
        return torch.randn(3, 90, 120, generator=noise) * 4
    white = {"8": 255, "16": 65535}[depth]
    return torch.from_numpy(
        torch.randint(0, white + 1, (3, 90, 120), generator=noise).numpy().astype(np.float32) / np.float32(white)
    )


@pytest.mark.parametrize("depth", ["8", "16", "float"])
@pytest.mark.parametrize("name", ["matte.auto", "decompose.auto", "remove.mask"])
def test_unchanged_pixels_are_the_sources_own(name, depth):
    """Bit for bit, in the tensors and in what is written: opaque in a matte, apart in layers, outside of the mask."""
    plate, alpha = values(depth), disc(90, 120, 6.0)
    work = prepared(name, plate, alpha, depth)
    layers = painted(work)
    layers[-1][3] = work.canvas.fit(alpha[None])[0]
    results = finish(work, layers, Settings(), MODEL)
    if name == "remove.mask":
        same = [(results[0], alpha < 0.05)]
    elif name == "matte.auto":
        same = [(results[0], results[0][3] == 1)]
    else:
        same = [(results[0], results[1][3] == 0), (results[1], results[1][3] == 1)]
    for result, unchanged in same:
        assert unchanged.float().mean() > 0.2
        assert torch.equal(result[:3, unchanged], plate[:, unchanged])
        if depth != "float":
            written, source = (to_samples(image[:3].contiguous().numpy(), depth) for image in (result, plate))
            assert np.array_equal(written[:, unchanged.numpy()], source[:, unchanged.numpy()])


@pytest.mark.parametrize("name", ["matte.auto", "decompose.auto", "remove.mask"])
@pytest.mark.parametrize("size", [(180, 320), (500, 100), (40, 640)])
@pytest.mark.parametrize("shift", [0.0, 3.0])
def test_an_edge_that_moves_is_found_where_it_went(name, size, shift):
    """To a tenth of a pixel, in what comes out of a network that does everything right."""
    width = size[1]
    columns = torch.arange(width) + 0.5
    alpha = ((columns - 0.4 * width - shift) / 2 + 0.5).clamp(0, 1).expand(size).contiguous()
    front = torch.cat([torch.tensor([1.0, 0.2, 0.1])[:, None, None].expand(3, *size), alpha[None]])
    behind = torch.tensor([0.0, 0.3, 0.8])[:, None, None].expand(3, *size)
    plate = over(front, behind)  # red is alpha
    work = prepared(name, plate, torch.ones(size))  # all of it is removed, and painted as it was
    painted = {"matte": [front], "decompose": [opaque(behind), front], "remove": [opaque(plate)]}
    layers = [work.canvas.fit(layer) for layer in painted[work.task.command]]
    result = finish(work, layers, Settings(), MODEL)[-1][0 if name == "remove.mask" else 3]
    assert (1 - result).sum(1).mean().item() == pytest.approx((1 - alpha).sum(1).mean().item(), abs=0.1)


@pytest.mark.parametrize("cast", [0.0, 0.15])
def test_no_step_at_the_border_of_what_was_pasted(cast):
    """A hard mask, and a model whose colours are off by an amount that changes across the picture."""
    background = textured(240, 360, (0.5, 0.5, 0.5), 0)
    mask = (disc(240, 360, 1.0) > 0.5).float()
    plate = torch.where(mask > 0, torch.tensor([0.9, 0.1, 0.1])[:, None, None], background)
    work = prepared("remove.mask", plate, mask)
    off = background + cast * torch.linspace(-1, 1, 360)
    (result,) = finish(work, [work.canvas.fit(opaque(off))], Settings(), MODEL)
    seam = mask.diff(dim=1) != 0  # (240, 359)
    step = (result[:3].diff(dim=2) - background.diff(dim=2)).abs()[:, seam]
    assert step.mean() < 0.01 and step.max() < 0.04


def test_a_removal_that_grows_takes_the_soft_rim_along_and_no_more():
    """A mask that is cut at half coverage leaves pixels that are mixed with the object."""
    background = textured(240, 360, (0.5, 0.5, 0.5), 0)
    alpha = disc(240, 360, 3.0)
    red = torch.tensor([0.9, 0.1, 0.1])[:, None, None].expand(3, 240, 360)
    plate = over(torch.cat([red, alpha[None]]), background)
    mask = (alpha > 0.5).float()
    rim = (alpha > 0.02) & (mask == 0)

    def left(pixels: int) -> tuple[torch.Tensor, float]:
        work = prepared("remove.mask", plate, mask, grow=pixels)
        (result,) = finish(work, [work.canvas.fit(opaque(background))], Settings(grow=pixels), MODEL)
        return result, float((result[:3] - background).abs()[:, rim].mean())

    (_, sharp), (grown, soft) = left(0), left(4)
    assert sharp > 0.04 and soft < 0.3 * sharp
    rows, columns = torch.nonzero(mask, as_tuple=True)
    far = torch.ones(240, 360, dtype=torch.bool)
    far[rows.min() - 4 : rows.max() + 5, columns.min() - 4 : columns.max() + 5] = False
    assert torch.equal(grown[:3, far], plate[:, far])


DRAWS = ("generate.foreground", "generate.background")


def completion(name: str, given: Image) -> Prepared:
    """Of weights that draw from words alone."""
    return prepare(TASKS[name], [given], DEFAULTS, Settings(format="tiff", text="a cat"), passes(TASKS[name], DRAWS))


@pytest.mark.parametrize("alone", [True, False], ids=["from words alone", "with the picture"])
def test_a_given_foreground_stays_as_it_is_in_the_scene(alone):
    plate, alpha = values("16"), disc(90, 120, 6.0)
    given = Image(plate.permute(1, 2, 0).contiguous().numpy(), alpha.numpy(), depth="16")
    name = "complete.foreground-scene"
    work = completion(name, given) if alone else prepare(TASKS[name], [given], DEFAULTS, Settings(format="tiff"))
    assert bool(work.request.inputs) != alone
    (layer,) = painted(work)
    (scene,) = finish(work, [layer], Settings(), MODEL)
    behind = work.canvas.restore(layer[:3])
    assert torch.equal(scene[:3, alpha == 1], plate[:, alpha == 1])
    assert torch.allclose(scene[:3, alpha == 0], behind[:, alpha == 0]) and (scene[3] == 1).all()


def test_an_object_from_words_alone_is_placed_before_the_given_background():
    plate = values("16")
    given = picture(plate, "16")
    work = completion("complete.background-scene", given)
    drawn = torch.zeros(4, *work.canvas.size)
    drawn[0], drawn[3, 40:72, 10:26] = 1.0, 1.0  # red, twice as high as wide, not in the middle
    (front,) = finish(completion("complete.background-foreground", given), [drawn], Settings(), MODEL)
    (scene,) = finish(work, [drawn], Settings(), MODEL)
    rows, columns = ((front[3] > 0.5).any(axis).nonzero()[:, 0] for axis in (1, 0))
    assert abs(len(rows) / 90 - 0.6) < 0.02 and abs(len(rows) / len(columns) - 2) < 0.1
    assert int(rows[-1]) + 1 == 81 and abs(float(columns.float().mean()) + 0.5 - 60) <= 0.5
    solid, empty = front[3] == 1, front[3] == 0
    assert torch.equal(scene[:3, empty], plate[:, empty]) and (scene[3] == 1).all()
    assert torch.equal(scene[:3, solid], front[:3, solid]) and (front[0, solid] == 1).all()


@pytest.mark.parametrize("size", [(60, 100), (100, 60), (80, 80)])
def test_an_object_that_is_drawn_on_a_square_is_in_the_middle_of_other_shapes(size):
    defaults = replace(DEFAULTS, commands={"generate.foreground": {"square": True}})
    settings = Settings(format="tiff", text="a cat", height=size[0], width=size[1])
    work = prepare(TASKS["generate.foreground"], [], defaults, settings)
    assert work.request.targets == ((128, 128),)
    (made,) = finish(work, [torch.ones(4, 128, 128)], settings, MODEL)
    rows, columns = ((made[3] > 0).any(axis).nonzero()[:, 0] for axis in (1, 0))
    side = min(size)
    assert made.shape == (4, *size) and len(rows) == len(columns) == side and made[3].sum() == side**2
    assert (int(rows[0]), int(columns[0])) == ((size[0] - side) // 2, (size[1] - side) // 2)


def test_where_nothing_was_drawn_the_background_stays():
    plate = values("8")
    work = completion("complete.background-scene", picture(plate))
    (scene,) = finish(work, [torch.zeros(4, *work.canvas.size)], Settings(), MODEL)
    assert torch.equal(scene, opaque(plate))


@pytest.mark.parametrize("name", [name for name in TASKS if name.startswith("complete")])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_any_shape_is_completed_from_words_alone(name, size):
    work = completion(name, picture(torch.rand(3, *size)))
    (made,) = finish(work, painted(work), Settings(), MODEL)
    assert made.shape == (4, *size) and 0 <= made.min() <= made.max() <= 1


@pytest.mark.parametrize("name", ["matte.auto", "decompose.auto"])
@pytest.mark.parametrize("depth", ["8", "half"])
def test_a_matte_is_refined_by_the_plate_in_srgb(name, depth):
    """Whatever the output is composited in. The colours beside it are spread in sRGB, too, as it has learnt."""
    light, shown = torch.rand(3, 96, 128) * 0.4, []
    work = prepared(name, light, depth=depth)

    class Refines:
        defaults = Defaults()

        def refined(self, plate, colours, alpha, trimap):
            shown.append(plate)
            assert torch.equal(colours, likely_colours(plate, alpha))
            return torch.ones_like(alpha)

    *_, front = finish(work, painted(work), Settings(), Refines())
    assert (front[3] == 1).all()
    assert torch.allclose(shown[0].mean(), work.request.inputs[0][:3].mean(), atol=1e-3)


@pytest.mark.parametrize("name", ["remove.mask", "decompose.auto"])
def test_a_guess_from_a_smooth_fill_is_painted_with_the_plates_own_detail(name):
    """Weights that start from a smooth fill guess a mean, which is a guide; what others paint is left as it is."""

    class Guesses:
        defaults = Defaults(fill=True)

        def refined(self, plate, colours, alpha, trimap):
            return None

    stripes = (0.5 + 0.2 * torch.sin(torch.arange(128.0))).expand(3, 96, 128)
    work = prepared(name, stripes, disc(96, 128, 2.0))
    layers = [torch.full_like(layer, 0.5) for layer in painted(work)]
    layers[0][3] = 1
    if name == "decompose.auto":
        layers[1][3] = work.canvas.fit(disc(96, 128, 2.0)[None])[0]
    results = (finish(work, layers, Settings(), model)[0] for model in (Guesses(), MODEL))
    copied, as_it_is = (result[:3, 40:56, 56:72].std() for result in results)  # in the middle of the disc
    assert copied > 0.6 * stripes.std()
    assert copied > 1.2 * as_it_is


class Watched:
    """A model that refines mattes to 1 everywhere, and remembers the shapes that it was shown."""

    defaults = Defaults()

    def __init__(self):
        self.shapes = []

    def refined(self, plate, colours, alpha, trimap):
        self.shapes.append((plate.shape, alpha.shape, None if trimap is None else trimap.shape))
        return torch.ones_like(alpha)


@pytest.mark.slow
def test_a_network_refines_at_no_more_than_its_own_size():
    trimap = torch.ones(600, 900)
    trimap[:100], trimap[100:150] = 0, 0.5
    work, model = prepared("matte.trimap", torch.rand(3, 600, 900), trimap), Watched()
    alpha = finish(work, painted(work), Settings(), model)[0][3]
    h, w = within(600, 900, SIDE_IN_BAND)
    assert model.shapes == [((3, h, w), (h, w), (h, w))] and abs(h * w - SIDE_IN_BAND**2) < 2 * w
    assert not alpha[:100].any() and (alpha[110:] == 1).all()


@pytest.mark.slow
@pytest.mark.parametrize(("size", "side"), [((90, 120), 128), ((600, 900), 640)])
def test_a_refining_network_loses_nothing_of_a_small_picture_or_a_large_canvas(size, side):
    work, model = prepared("matte.auto", torch.rand(3, *size), canvas=side), Watched()
    finish(work, painted(work), Settings(refine="none"), model)
    assert not model.shapes
    finish(work, painted(work), Settings(), model)
    (_, (h, w), _), *_ = model.shapes
    canvas = work.canvas.size
    assert abs(h * w / min(size[0] * size[1], canvas[0] * canvas[1]) - 1) < 0.01
