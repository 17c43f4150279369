"""Make docs/everyday.jpg: `python docs/everyday.py`, in an installed checkout.

Each photograph beside its cut-out over a checkerboard and over a flat colour; all that were chosen are shown.
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
PHOTOS = (
    *(ROOT / "tests" / "data" / f"{name}.jpg" for name in ("coffee", "astronaut", "chelsea", "rocket")),
    *sorted((ROOT / "docs" / "everyday").glob("*.jpg")),
)
HEIGHT, WIDTH = 200, 300  # of one picture
COLUMNS = 2
COLOUR = (0.10, 0.62, 0.55)


def tile(image: torch.Tensor) -> torch.Tensor:
    """Return the whole picture (3, H, W) in the middle of HEIGHT × WIDTH, on white."""
    _, h, w = image.shape
    scale = min(HEIGHT / h, WIDTH / w)
    image = resample(image, round(h * scale), round(w * scale))
    top, left = (HEIGHT - image.shape[1]) // 2, (WIDTH - image.shape[2]) // 2
    canvas = torch.ones(3, HEIGHT, WIDTH)
    canvas[:, top : top + image.shape[1], left : left + image.shape[2]] = image
    return canvas


model = OmniAlpha.load("mini")
rows = []
for path in PHOTOS:
    plate = torch.from_numpy(read_image(path).rgb).permute(2, 0, 1)  # (3, H, W)
    cut = torch.from_numpy(model.matte(path)).permute(2, 0, 1).float() / 255  # (4, H, W)
    flat = torch.tensor(COLOUR)[:, None, None].expand_as(plate)
    shown = (plate, over(cut, checkerboard(*plate.shape[1:])), over(cut, flat))
    rows.append(torch.cat([tile(x) for x in shown], dim=2))  # (3, HEIGHT, 3·WIDTH)
rows += [torch.ones_like(rows[0])] * (-len(rows) % COLUMNS)
columns = [torch.cat(rows[i::COLUMNS], dim=1) for i in range(COLUMNS)]

sheet = (torch.cat(columns, dim=2) * 255).round().clamp(0, 255).byte().permute(1, 2, 0).contiguous().numpy()
picture = oiio.ImageBuf(np.ascontiguousarray(sheet))
picture.specmod().attribute("Compression", "jpeg:86")
if not picture.write(str(ROOT / "docs" / "everyday.jpg")):
    raise SystemExit(picture.geterror())
