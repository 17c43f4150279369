"""Alpha in a trimap's unknown band: the matting Laplacian's, with the model's matte as what is likely."""

import numpy as np
import pytest
import torch

from omnialpha_cli.imaging.canvas import choose_canvas
from omnialpha_cli.imaging.matte import closed_form
from omnialpha_cli.imaging.matte.closed_form import (
    APART,
    EPSILON,
    FIRM,
    FIRM_PRIOR,
    PRIOR,
    alpha_in_band,
    laplacian_rows,
)
from omnialpha_cli.imaging.matte.finish import Steering, refine_alpha
from omnialpha_cli.lab.evaluate.scenes import hair_scene


def wide_trimap(alpha: torch.Tensor, radius: int) -> torch.Tensor:
    def shrunk(mask: torch.Tensor) -> torch.Tensor:
        return 1 - torch.nn.functional.max_pool2d(1 - mask[None], 2 * radius + 1, 1, radius)[0]

    return (1 + shrunk((alpha > 0.95).float()) - shrunk((alpha < 0.05).float())) / 2


@pytest.mark.slow  # pymatting compiles
def test_rows_are_those_of_pymatting():
    from pymatting import cf_laplacian

    plate, unknown = torch.rand(3, 17, 23, dtype=torch.float64), torch.rand(17, 23) > 0.4
    weights, places = laplacian_rows(plate, unknown, EPSILON)
    rows = np.zeros((int(unknown.sum()), 17 * 23))
    np.add.at(rows, (np.arange(len(rows))[:, None].repeat(25, 1), places.numpy()), weights.numpy())
    whole = cf_laplacian(np.ascontiguousarray(plate.permute(1, 2, 0).numpy()), EPSILON).toarray()
    assert np.abs(rows - whole[unknown.flatten().numpy()]).max() < 1e-9


@pytest.mark.slow  # pymatting compiles
@pytest.mark.parametrize(("half_at", "mixed"), [(1e-3, 0.39), (APART, 0.0)])
def test_the_solution_is_of_the_whole_system_mixed_with_a_firmer_one_where_they_are_apart(half_at, mixed, monkeypatch):
    from pymatting import cf_laplacian

    monkeypatch.setattr(closed_form, "APART", half_at)
    scene = hair_scene(60, 80)
    alpha = scene.foreground[3]
    trimap = wide_trimap(alpha, 4)
    matte = torch.rand(60, 80)
    found, canvas = alpha_in_band(matte, scene.plate, choose_canvas(60, 80, 64, 4), trimap)
    assert canvas.size == (60, 80)
    unknown = (trimap == 0.5).flatten().numpy()
    whole = cf_laplacian(np.ascontiguousarray(scene.plate.double().permute(1, 2, 0).numpy()), EPSILON).toarray()
    known = trimap.flatten().double().numpy()
    prior = choose_canvas(60, 80, 64, 4).restore(matte[None])[0].flatten().double().numpy()
    exact = []
    for weight in (PRIOR, FIRM_PRIOR):
        system = whole[unknown][:, unknown] + weight * np.eye(unknown.sum())
        wanted = weight * prior[unknown] - whole[unknown][:, ~unknown] @ known[~unknown]
        exact.append(np.linalg.solve(system, wanted).clip(0, 1))
    apart = np.abs(exact[1] - exact[0]).mean()
    share = FIRM * apart**2 / (apart**2 + half_at**2)
    assert share == pytest.approx(mixed, abs=0.01)
    mean = (1 - share) * exact[0] + share * exact[1]
    assert np.abs(found.flatten().numpy()[unknown] - mean).mean() < 0.002 < FIRM * apart
    assert torch.equal(found.flatten()[~unknown], trimap.flatten()[~unknown])


def in_band(matte, plate, canvas, trimap):
    """Return alpha in a trimap's band, with its plate and canvas."""
    alpha, canvas = alpha_in_band(matte, plate, canvas, trimap)
    return alpha, plate, canvas


@pytest.mark.slow
@pytest.mark.parametrize("size", [(240, 320), (700, 900)])
def test_a_poor_matte_and_a_wide_trimap_give_fine_hair(size):
    scene = hair_scene(*size)
    alpha, canvas = scene.foreground[3], choose_canvas(*size, 256)
    blurred = torch.nn.functional.avg_pool2d(canvas.fit(alpha[None]), 15, 1, 7)[0]
    trimap = wide_trimap(alpha, 6)
    band = (trimap > 0) & (trimap < 1)
    plain = refine_alpha(blurred, scene.plate, canvas)
    guided = refine_alpha(*in_band(blurred, scene.plate, canvas, trimap), steering=Steering(trimap))
    error, before = (((a - alpha) ** 2)[band].mean() for a in (guided, plain))
    assert error < 0.5 * before
    assert torch.equal(guided[~band], trimap[~band])


@pytest.mark.slow
@pytest.mark.parametrize("size", [(1, 1), (2, 40), (9, 1200)])
def test_pictures_of_any_shape(size):
    plate = torch.rand(3, *size)
    canvas = choose_canvas(*size, 32)
    found = refine_alpha(*in_band(torch.rand(canvas.size), plate, canvas, torch.full(size, 0.5)))
    assert found.shape == size and found.min() >= 0 and found.max() <= 1
