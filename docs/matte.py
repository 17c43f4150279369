"""Make docs/matte.jpg, the picture of the README: `python docs/matte.py`, in an installed checkout.

Each column is one test photograph, below it its cut-out over a checkerboard and over a flat colour.
"""

from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import torch

from omnialpha_cli import OmniAlpha
from omnialpha_cli.imaging.canvas import resample
from omnialpha_cli.imaging.composite import checkerboard, over
from omnialpha_cli.media.read import read_image

ROOT = Path(__file__).parent.parent
PHOTOS = ("chelsea", "astronaut", "coffee", "rocket")
HEIGHT, WIDTH = 280, 320
COLOUR = (0.10, 0.62, 0.55)


def tile(image: torch.Tensor) -> torch.Tensor:
    """The middle of (3, H, W) at HEIGHT × WIDTH."""
    _, h, w = image.shape
    scale = max(HEIGHT / h, WIDTH / w)
    image = resample(image, round(h * scale), round(w * scale))
    top, left = (image.shape[1] - HEIGHT) // 2, (image.shape[2] - WIDTH) // 2
    return image[:, top : top + HEIGHT, left : left + WIDTH]


model = OmniAlpha.load("mini")
columns = []
for name in PHOTOS:
    path = ROOT / "tests" / "data" / f"{name}.jpg"
    plate = torch.from_numpy(read_image(path).rgb).permute(2, 0, 1)  # (3, H, W)
    cut = torch.from_numpy(model.matte(path)).permute(2, 0, 1).float() / 255  # (4, H, W)
    flat = torch.tensor(COLOUR)[:, None, None].expand_as(plate)
    shown = (plate, over(cut, checkerboard(*plate.shape[1:])), over(cut, flat))
    columns.append(torch.cat([tile(x) for x in shown], dim=1))  # (3, 3·HEIGHT, WIDTH)

sheet = (torch.cat(columns, dim=2) * 255).round().clamp(0, 255).byte().permute(1, 2, 0).contiguous().numpy()
picture = oiio.ImageBuf(np.ascontiguousarray(sheet))
picture.specmod().attribute("Compression", "jpeg:88")
if not picture.write(str(ROOT / "docs" / "matte.jpg")):
    raise SystemExit(picture.geterror())
