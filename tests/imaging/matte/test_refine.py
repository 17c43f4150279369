"""Alpha at full size: sharper than bilinear where the plate knows better, untouched where it does not."""

import pytest
import torch
from scenes import disc, hair, textured

from omnialpha_cli.imaging.canvas import choose_canvas
from omnialpha_cli.imaging.composite import over
from omnialpha_cli.imaging.matte.finish import refine_alpha
from omnialpha_cli.lab.evaluate.scenes import hair_scene

METHODS = ["guided", "laplacian", "none"]


def scene(alpha: torch.Tensor) -> torch.Tensor:
    height, width = alpha.shape
    object_, background = textured(height, width, (0.25, 0.15, 0.1), 1), textured(height, width, (0.6, 0.75, 0.85), 2)
    return over(torch.cat([object_, alpha[None]]), background)


@pytest.mark.parametrize("size", [(540, 960), (600, 400)])
def test_hair_is_drawn_with_half_the_error_of_bilinear(size):
    alpha = hair(*size)
    plate = scene(alpha)
    canvas = choose_canvas(*size, 256)
    small = canvas.fit(alpha[None])
    unknown = (canvas.restore(small)[0] - alpha).abs() > 0.01
    bilinear = (canvas.restore(small)[0] - alpha).square()[unknown].mean()
    refined = (refine_alpha(small[0], plate, canvas) - alpha).square()[unknown].mean()
    assert refined < 0.5 * bilinear


def test_solid_regions_stay_solid_on_a_strongly_textured_plate():
    plate = torch.rand(3, 300, 450)
    canvas = choose_canvas(300, 450, 256)
    noise = 0.03 * torch.rand(canvas.size)
    assert (refine_alpha(1 - noise, plate, canvas) == 1).all()
    assert (refine_alpha(noise, plate, canvas) == 0).all()
    half = torch.zeros(canvas.size)
    half[:, canvas.size[1] // 2 :] = 1
    refined = refine_alpha(half, plate, canvas)
    assert (refined[:, :219] == 0).all()
    assert (refined[:, 231:] == 1).all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [(270, 480), (700, 300), (90, 1200)])
def test_nothing_shifts(size, method):
    """The refined disc has its true area and its true centre."""
    alpha = disc(*size, 4.0)
    canvas = choose_canvas(*size, 256)
    refined = refine_alpha(canvas.fit(alpha[None])[0], scene(alpha), canvas, method)
    rows, columns = torch.arange(size[0])[:, None] + 0.5, torch.arange(size[1]) + 0.5
    for places in (rows, columns):
        centre = ((refined * places).sum() / refined.sum()).item()
        assert centre == pytest.approx(((alpha * places).sum() / alpha.sum()).item(), abs=0.1)
    assert refined.sum().item() == pytest.approx(alpha.sum().item(), rel=0.02)


def test_tiles_are_seamless(monkeypatch):
    alpha = hair(200, 300)
    plate, canvas = scene(alpha), choose_canvas(200, 300, 256)
    small = canvas.fit(alpha[None])[0]
    whole = refine_alpha(small, plate, canvas)
    monkeypatch.setattr("omnialpha_cli.imaging.canvas.TILE_SIDE", 23)
    torch.testing.assert_close(refine_alpha(small, plate, canvas), whole, atol=1e-5, rtol=0)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [(1, 1), (3, 3), (7, 400), (400, 7), (31, 33)])
def test_unusual_sizes(size, method):
    canvas, plate = choose_canvas(*size, 64), torch.rand(3, *size)
    refined = refine_alpha(torch.ones(canvas.size), plate, canvas, method)
    assert refined.shape == size
    torch.testing.assert_close(refined, torch.ones(size))
    soft = refine_alpha(torch.rand(canvas.size), plate, canvas, method)
    assert 0 <= soft.min() <= soft.max() <= 1


@pytest.mark.slow
@pytest.mark.parametrize("size", [(360, 540), (300, 420)])
def test_a_blurred_matte_of_hair_is_mended_further_by_the_laplacian(size):
    """What models give is softer than the truth reduced: there the slow way pays."""
    truth = hair_scene(*size)
    alpha, canvas = truth.foreground[3], choose_canvas(*size, 256)
    blurred = torch.nn.functional.avg_pool2d(canvas.fit(alpha[None]), 3, 1, 1, count_include_pad=False)[0]
    errors = [
        (refine_alpha(blurred, truth.plate, canvas, method) - alpha).square().mean().item()
        for method in ("laplacian", "guided", "none")
    ]
    assert errors[0] < errors[1] < errors[2]


@pytest.mark.slow
def test_tiles_of_the_laplacian_leave_no_seam(monkeypatch):
    scene = hair_scene(200, 300)
    canvas = choose_canvas(200, 300, 256)
    matte = canvas.fit(scene.foreground[3:])[0]
    whole = refine_alpha(matte, scene.plate, canvas, "laplacian")
    monkeypatch.setattr("omnialpha_cli.imaging.matte.closed_form.TILE", 64)
    assert (refine_alpha(matte, scene.plate, canvas, "laplacian") - whole).abs().max() < 0.02


def test_none_is_plain_bilinear():
    alpha, canvas = torch.rand(256, 256), choose_canvas(400, 400, 256)
    expected = torch.nn.functional.interpolate(alpha[None, None], (400, 400), mode="bilinear")[0, 0]
    refined = refine_alpha(alpha, torch.rand(3, 400, 400), canvas, "none")
    torch.testing.assert_close(refined, expected, atol=1e-5, rtol=0)
