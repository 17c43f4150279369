"""Make docs/drawings.jpg, what the embedded weights draw: `python docs/drawings.py`, in an installed checkout.

Twenty names that the generator's training left out, evenly spread but for flags; the first try of each. Where the
weights refuse there is nothing.
"""

from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import torch

from omnialpha_cli import ItemError, OmniAlpha
from omnialpha_cli.lab.train.pictures import sheet

ROOT = Path(__file__).parent.parent
COLUMNS = 10
PROMPTS = (
    "a smiling face with halo", "a face with monocle", "a speak-no-evil monkey", "a backhand index pointing down",
    "a man cook", "a woman elf", "a man dancing", "a family, man, boy", "an elephant", "a feather", "a chestnut",
    "a fried shrimp", "a spoon", "a motorized wheelchair", "a sports medal", "prayer beads", "a page with curl",
    "a wrench", "Gemini", "a Japanese “passing grade” button",
)  # fmt: skip

SIDE = 128  # pixels of each

model = OmniAlpha.load("mini")
drawn = []  # each (h, w, 4) uint8
for i, prompt in enumerate(PROMPTS):
    try:
        drawn.append(torch.from_numpy(model.generate(prompt, seed=i)))
    except ItemError as error:
        print(error)
        drawn.append(torch.zeros(SIDE, SIDE, 4, dtype=torch.uint8))
pictures = [one.permute(2, 0, 1).float() / 255 for one in drawn]
rows = [pictures[i : i + COLUMNS] for i in range(0, len(pictures), COLUMNS)]
pixels = (sheet(rows) * 255).round().byte().permute(1, 2, 0).contiguous().numpy()
picture = oiio.ImageBuf(np.ascontiguousarray(pixels))
picture.specmod().attribute("Compression", "jpeg:90")
if not picture.write(str(ROOT / "docs" / "drawings.jpg")):
    raise SystemExit(picture.geterror())
