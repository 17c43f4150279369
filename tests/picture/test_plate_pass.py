"""A clean plate is never worse than none: from two pictures to the matte, with a network that is wrong in between."""

import pytest
import torch
from scenes import disc, textured
from tiny_model import tiny_model

from omnialpha_cli.imaging.canvas import opaque
from omnialpha_cli.media.image import Image
from omnialpha_cli.model.config import Defaults
from omnialpha_cli.picture.finish import finish
from omnialpha_cli.picture.prepare import Prepared, prepare
from omnialpha_cli.picture.settings import Settings
from omnialpha_cli.tasks import TASKS, passes

DEFAULTS = Defaults(steps=1, guidance=1.0, canvas=128, multiple=32)
MODEL = tiny_model()  # without specialists
SIZE = 150, 200
BACKDROP, OBJECT = textured(*SIZE, (0.4, 0.5, 0.5), 0), textured(*SIZE, (0.8, 0.3, 0.2), 1)


def scene(alpha: torch.Tensor, depth: str = "8") -> Image:
    return picture(OBJECT * alpha + BACKDROP * (1 - alpha), depth)


def picture(rgb: torch.Tensor, depth: str = "8") -> Image:
    return Image(rgb.clamp(0, 1).permute(1, 2, 0).contiguous().numpy(), depth=depth)  # type: ignore[arg-type]


def prepared(shown: Image, clean: Image) -> Prepared:
    task = TASKS["matte.background"]
    return prepare(task, [shown, clean], DEFAULTS, Settings(format="tiff"), passes(task, ("matte.auto",)))


def error(work: Prepared, network: torch.Tensor, alpha: torch.Tensor) -> float:
    """The mean error of the result, where the network's alpha (H, W) is that of all of the picture."""
    matte = work.canvas.fit(opaque(network.expand(3, -1, -1)))
    (result,) = finish(work, [torch.cat((matte[:3], matte[:1]))], Settings(), MODEL)
    return float((result[3] - alpha).abs().mean())


def test_the_object_is_matted_as_without_a_plate():
    alpha = disc(*SIZE, 2)
    work = prepared(scene(alpha), picture(BACKDROP))
    assert len(work.request.inputs) == 1 and work.request.prompt == TASKS["matte.auto"].prompt


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    "clean",
    [BACKDROP, BACKDROP * 0.93 + 0.01, BACKDROP.roll((1, -1), (1, 2))],
    ids=["exact", "exposed otherwise", "moved"],
)
def test_a_network_that_takes_another_thing_for_the_object_is_put_right(clean, seed):
    alpha = disc(*SIZE, 2)
    grain = torch.randn(3, *SIZE, generator=torch.Generator().manual_seed(seed)) * 0.004
    work = prepared(scene(alpha), picture(clean + grain))
    assert error(work, 1 - alpha, alpha) < 0.02
    assert error(work, torch.full(SIZE, 0.5), alpha) < 0.02


def test_a_plate_of_another_view_is_reported_and_ignored():
    alpha = disc(*SIZE, 2)
    work = prepared(scene(alpha), picture(textured(*SIZE, (0.9, 0.1, 0.6), 7)))
    assert work.clean_plate is None and any("another view" in warning for warning in work.warnings)
    assert error(work, alpha, alpha) < 0.02
