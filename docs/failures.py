"""Make docs/failures.jpg, what the embedded weights get wrong: `python docs/failures.py`, in an installed checkout.

Each row is one failure: what was given, what was made, and what is true, where that is known.
"""

from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import torch
from torch import Tensor

from omnialpha_cli import OmniAlpha
from omnialpha_cli.imaging.canvas import resample
from omnialpha_cli.imaging.composite import checkerboard, over
from omnialpha_cli.lab.data.effects import drop_shadow
from omnialpha_cli.lab.data.glass import draw_vessel
from omnialpha_cli.lab.train.augment import blur
from omnialpha_cli.media.read import read_image

ROOT = Path(__file__).parent.parent
HEIGHT, WIDTH = 200, 280
SEED = 6  # of the vessel


def photo(name: str) -> Tensor:
    """A test photograph, (3, HEIGHT, WIDTH)."""
    rgb = torch.from_numpy(read_image(ROOT / "tests" / "data" / f"{name}.jpg").rgb).permute(2, 0, 1)
    scale = max(HEIGHT / rgb.shape[1], WIDTH / rgb.shape[2])
    rgb = resample(rgb, round(rgb.shape[1] * scale), round(rgb.shape[2] * scale))
    top, left = (rgb.shape[1] - HEIGHT) // 2, (rgb.shape[2] - WIDTH) // 2
    return rgb[:, top : top + HEIGHT, left : left + WIDTH].clamp(0, 1)


def pixels(image: Tensor) -> np.ndarray:
    """(C, h, w) in [0, 1] → uint8 (h, w, C)."""
    return (image * 255).round().byte().permute(1, 2, 0).contiguous().numpy()


def tensor(made: np.ndarray) -> Tensor:
    """The way back."""
    return torch.from_numpy(made).permute(2, 0, 1).float() / 255


def shown(cut: Tensor) -> Tensor:
    """RGBA (4, HEIGHT, WIDTH) over a checkerboard."""
    return over(cut, checkerboard(HEIGHT, WIDTH))


def placed(layer: Tensor, height: int) -> Tensor:
    """A layer (4, h, w) on the canvas, standing in its middle."""
    layer = resample(layer, height, round(layer.shape[2] * height / layer.shape[1])).clamp(0, 1)
    left, top = (WIDTH - layer.shape[2]) // 2, HEIGHT - height - 8
    return torch.nn.functional.pad(layer, (left, WIDTH - left - layer.shape[2], top, 8))


model = OmniAlpha.load("mini")
rows = []

vessel, _ = draw_vessel(256, torch.Generator().manual_seed(SEED))
glass = placed(vessel, 170)
scene = over(glass, blur(photo("coffee"), 10))
rows.append((scene, shown(tensor(model.matte(pixels(scene)))), shown(glass)))

cup = photo("coffee")
mask = (tensor(model.matte(pixels(cup)))[3:] > 0.5).float().expand(3, -1, -1)
rows.append((cup, tensor(model.remove(pixels(cup), mask=pixels(mask)))[:3], mask))

cat = tensor(model.matte(pixels(photo("chelsea"))))
small = placed(cat, 120)
wall = photo("rocket")
shadow = drop_shadow(small[3:], 12, 24, 5.0, 0.55)
scene = over(small, wall * (1 - shadow))
mask = (small[3:] > 0.5).float().expand(3, -1, -1)
rows.append((scene, tensor(model.remove(pixels(scene), mask=pixels(mask), effects=True))[:3], wall))

sheet = torch.cat([torch.cat(list(row), dim=2) for row in rows], dim=1)  # (3, rows·HEIGHT, 3·WIDTH)
picture = oiio.ImageBuf(np.ascontiguousarray(pixels(sheet.clamp(0, 1))))
picture.specmod().attribute("Compression", "jpeg:88")
if not picture.write(str(ROOT / "docs" / "failures.jpg")):
    raise SystemExit(picture.geterror())
