"""What filters and solves make of any finite colours: finite results, and alpha in [0, 1]."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from omnialpha_cli.imaging.canvas import choose_canvas, resample, resized
from omnialpha_cli.imaging.colour import compress, despill, expand, find_screen, likely_colours
from omnialpha_cli.imaging.composite import layered, over, place_in_middle, place_on_ground
from omnialpha_cli.imaging.matte.closed_form import EPSILON, PRIOR, alpha_in_band, solve_alpha
from omnialpha_cli.imaging.matte.finish import Steering, finish_layers, finish_matte, refine_alpha
from omnialpha_cli.imaging.matte.foreground import estimate_foreground
from omnialpha_cli.imaging.removal.clean_plate import finish_removal, relight
from omnialpha_cli.imaging.removal.fill import paint_over
from omnialpha_cli.imaging.removal.grain import grain_like

SIDE = 32  # of the canvas

# What may stand in a scene: night, paper, a lamp, the sun, and what denoisers and matrices of primaries leave below 0.
LEVELS = st.one_of(
    st.sampled_from([0.0, 1e-6, 0.18, 1.0, 4.0, 100.0, 1000.0, 1e6, -0.01, -1.0, -1e6]),
    st.floats(-6, 6).map(lambda exponent: 10.0**exponent),
)


@st.composite
def plates(draw: st.DrawFn) -> Tensor:
    """A plate (3, H, W): texture of some levels, grey or coloured, in patches, stripes, or single pixels."""
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**16)))
    levels = torch.tensor(draw(st.lists(LEVELS, min_size=1, max_size=4)))
    channels = draw(st.sampled_from([1, 3]))
    texture = draw(st.sampled_from([0.0, 1e-6, 0.3]))
    share = draw(st.sampled_from([0.002, 0.05, 0.5]))  # of pixels that are not of the first level
    kind = torch.randint(len(levels), (channels, height, width), generator=generator)
    kind = torch.where(torch.rand(height, width, generator=generator) < share, kind, 0)
    noise = torch.rand(channels, height, width, generator=generator)
    return (levels[kind] * (1 + texture * noise)).expand(3, -1, -1).contiguous()


class Scene:
    """A plate with what else finishing takes: the model's matte and background, a trimap, and a clean plate."""

    def __init__(self, plate: Tensor, seed: int):
        g = torch.Generator().manual_seed(seed)
        self.plate, (height, width) = plate, plate.shape[1:]
        self.canvas = choose_canvas(height, width, SIDE, 8)
        self.matte = (2 * torch.rand(4, *self.canvas.size, generator=g) - 0.5).clamp(0, 1)
        self.painted = torch.rand(4, *self.canvas.size, generator=g)
        self.alpha = (2 * torch.rand(height, width, generator=g) - 0.5).clamp(0, 1)
        self.trimap = torch.randint(3, (height, width), generator=g) / 2
        self.behind = plate.flip(0, 2)
        self.layer = torch.cat([plate, self.alpha[None]])


def spill(scene: Scene) -> Tensor:
    for screen in ("green", "blue"):
        despill(colour := scene.plate.clone(), scene.alpha, screen)
    despill(colour, scene.alpha, find_screen(scene.plate, scene.alpha) or "green")
    return colour


def grain(scene: Scene) -> Tensor:
    plate = scene.plate.repeat(1, 4, 4)
    share = torch.zeros(plate.shape[1:])
    share[: len(share) // 2] = 1
    found = grain_like(plate, share, resample(plate, 8, 8))
    return plate if found is None else found((slice(0, 8), slice(0, 8)))


ALPHAS: dict[str, Callable[[Scene], Tensor]] = {
    "guided": lambda s: refine_alpha(s.matte[3], s.plate, s.canvas, "guided"),
    "guided, a clean plate": lambda s: refine_alpha(s.matte[3], s.plate, s.canvas, "guided", s.behind),
    "laplacian": lambda s: refine_alpha(s.matte[3], s.plate, s.canvas, "laplacian"),
    "trimap": lambda s: refine_alpha(s.matte[3], s.plate, s.canvas, steering=Steering(s.trimap)),
    "in the band": lambda s: alpha_in_band(s.matte[3], s.plate, s.canvas, s.trimap)[0],
    "closed form": lambda s: solve_alpha(
        compress(s.plate),
        s.alpha,
        s.alpha.flip(0),
        s.trimap == 0.5,
        prior_weights=[torch.full_like(s.alpha, PRIOR)],
        epsilon=EPSILON,
    )[0],
}
COLOURS: dict[str, Callable[[Scene], Tensor]] = {
    "foreground": lambda s: estimate_foreground(s.plate, s.alpha),
    "likely colours": lambda s: likely_colours(s.plate, s.alpha),
    "despill": spill,
    "grain": grain,
    "paint over": lambda s: paint_over(s.plate, s.alpha),
    "over": lambda s: over(s.layer, s.behind),
    "relight": lambda s: relight(s.plate, 0.1 + s.painted[:3], s.canvas, s.trimap, 2.2),
    "removal": lambda s: finish_removal(s.plate, s.painted, s.canvas),
    "removal, a mask": lambda s: finish_removal(s.plate, s.painted, s.canvas, s.trimap),
    "removal, effects": lambda s: finish_removal(s.plate, s.painted, s.canvas, s.trimap, effects=True, grown=2),
}
LAYERS: dict[str, Callable[[Scene], list[Tensor]]] = {
    "matte": lambda s: [finish_matte(s.plate, s.alpha, s.matte[3], s.canvas, screen="green")],
    "matte, a clean plate": lambda s: [
        finish_matte(s.plate, None, s.matte[3], s.canvas, s.behind, steering=Steering(s.trimap))
    ],
    "decompose": lambda s: finish_layers(
        s.plate, s.painted, [s.matte], s.canvas, [(s.matte[3], s.canvas)], steering=Steering(s.trimap), screen="green"
    ),
    "several objects": lambda s: finish_layers(
        s.plate,
        s.painted,
        [s.matte, s.matte.flip(1)],
        s.canvas,
        [(s.matte[3], s.canvas), (s.matte[3].flip(0), s.canvas)],
    ),
    "layered": lambda s: [layered(s.layer, torch.cat([s.behind, s.alpha.flip(0)[None]]))],
    "canvas": lambda s: [s.canvas.restore(s.canvas.fit(s.layer)), resized(s.layer, 7)],
    "stand": lambda s: [place_on_ground(s.layer, 24, 40), place_in_middle(resized(s.layer, 8)[:, :1, :1], 24, 40)],
}


def check(results: list[Tensor], alphas: list[Tensor]) -> None:
    for result in results:
        assert result.isfinite().all()
    for alpha in alphas:
        assert alpha.min() >= 0 and alpha.max() <= 1


@settings(max_examples=15)
@pytest.mark.parametrize("name", ALPHAS)
@given(plate=plates(), seed=st.integers(0, 2**16))
def test_alphas(name: str, plate: Tensor, seed: int):
    alpha = ALPHAS[name](Scene(plate, seed))
    check([alpha], [alpha])


@settings(max_examples=15)
@pytest.mark.parametrize("name", COLOURS)
@given(plate=plates(), seed=st.integers(0, 2**16))
def test_colours(name: str, plate: Tensor, seed: int):
    check([COLOURS[name](Scene(plate, seed))], [])


@pytest.mark.slow
@settings(max_examples=15)
@pytest.mark.parametrize("name", LAYERS)
@given(plate=plates(), seed=st.integers(0, 2**16))
def test_layers(name: str, plate: Tensor, seed: int):
    results = LAYERS[name](Scene(plate, seed))
    check(results, [result[3] for result in results])


@pytest.mark.slow
@given(st.lists(LEVELS, min_size=1))
def test_what_was_drawn_in_comes_back(values: list[float]):
    colour = torch.tensor(values, dtype=torch.float64)
    torch.testing.assert_close(expand(compress(colour)), colour, rtol=1e-9, atol=1e-9)
    order = colour.argsort()
    assert (compress(colour)[order].diff() >= 0).all()


def test_the_range_of_a_screen_stays_bit_for_bit():
    colour = torch.rand(3, 8, 8)
    assert torch.equal(compress(colour), colour)
    mixed = torch.cat([colour.flatten(), torch.tensor([1e6, -3.0])])
    assert torch.equal(compress(mixed)[:-2], colour.flatten())


@pytest.mark.parametrize("level", [30.0, 1e6])
def test_one_firefly_changes_alpha_only_around_it(level: float):
    """It stands in the midst of the object: the rest of the matte is that of the plate without it."""
    generator = torch.Generator().manual_seed(0)
    plate = 0.2 + 0.1 * torch.rand(3, 200, 300, generator=generator)
    plate[:, :, 150:] += 0.5
    canvas = choose_canvas(200, 300, 128)
    rows, columns = torch.arange(canvas.size[0])[:, None], torch.arange(canvas.size[1])
    matte = ((columns - canvas.size[1] / 2) / 8 + 0.5).clamp(0, 1) + 0 * rows
    without = refine_alpha(matte, plate, canvas)
    plate[:, 100, 200] = level
    difference = (refine_alpha(matte, plate, canvas) - without).abs()
    difference[90:111, 190:211] = 0
    assert difference.max() < 0.01
