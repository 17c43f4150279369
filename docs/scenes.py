"""Make docs/scenes.jpg, what the embedded weights make of words and a layer: `python docs/scenes.py`, in a checkout.

Backgrounds and scenes from words alone, then what is given and its completions; the first try of each.
"""

from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import torch
from torch import Tensor

from omnialpha_cli import OmniAlpha
from omnialpha_cli.imaging.canvas import resample
from omnialpha_cli.lab.train.pictures import sheet

ROOT = Path(__file__).parent.parent
SIZE = 240, 160  # pixels of each
SCENES = (
    "a beach at dusk", "a snowy mountain", "a city at night", "a green valley with a river", "a desert in the sun",
    "a dragon over a city at night", "a red apple on a beach", "a robot in a desert", "a cat in a green field",
    "a snowman before a snowy mountain",
)  # fmt: skip
GIVEN = ("astronaut", "mountains above the clouds"), ("chelsea", "a beach at dusk")
BEHIND = "rocket", "a T-Rex"


def shown(pixels: np.ndarray) -> Tensor:
    """RGBA uint8 (H, W, 4) → (4, h, w) in [0, 1], as large as there is room."""
    picture = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1).float() / 255
    if picture.shape[0] == 3:
        picture = torch.cat((picture, torch.ones_like(picture[:1])))
    scale = min(SIZE[0] / picture.shape[2], SIZE[1] / picture.shape[1])
    return resample(picture, round(picture.shape[1] * scale), round(picture.shape[2] * scale))


model = OmniAlpha.load("mini")
drawn = [shown(model.generate(words, scene=True, size=SIZE, seed=i)) for i, words in enumerate(SCENES)]
completed = []
for name, words in GIVEN:
    cut_out = model.matte(ROOT / "tests" / "data" / f"{name}.jpg")
    completed += [shown(cut_out), shown(model.complete(cut_out, words, given="foreground", want="scene"))]
path = ROOT / "tests" / "data" / f"{BEHIND[0]}.jpg"
completed.append(shown(model.complete(path, BEHIND[1], given="background", want="scene")))
rows = [drawn[:5], drawn[5:], completed]
pixels = (sheet(rows) * 255).round().byte().permute(1, 2, 0).contiguous().numpy()
picture = oiio.ImageBuf(np.ascontiguousarray(pixels))
picture.specmod().attribute("Compression", "jpeg:90")
if not picture.write(str(ROOT / "docs" / "scenes.jpg")):
    raise SystemExit(picture.geterror())
