"""Make docs/removals.jpg, sixty removals over scenes that no training saw, and print their figures:
`python docs/removals.py photo-mattes.tar scenes.tar`, in a checkout with the training packs.

They are those of `omnialpha eval removal photo-mattes.tar --scenes scenes.tar --limit 60`: each picture beside what is
left of it once its object is taken out.
"""

import sys
from itertools import islice
from pathlib import Path
from statistics import mean

import numpy as np
import OpenImageIO as oiio

from omnialpha_cli import OmniAlpha
from omnialpha_cli.lab.evaluate import held_out
from omnialpha_cli.lab.evaluate.baselines import fills
from omnialpha_cli.lab.evaluate.panels import panel
from omnialpha_cli.lab.evaluate.perceptual import FeatureDistance
from omnialpha_cli.lab.train.packs import read_backdrops, read_held_out

COUNT, COLUMNS, TILE = 60, 5, 128  # pictures, and pixels of each one's longer side
photos, scenes = map(Path, sys.argv[1:])
judged = list(
    islice(
        held_out.removal(
            OmniAlpha.load("mini"), read_held_out([photos], "photo"), "mask", None, FeatureDistance(), fills(),
            backdrops=read_backdrops(scenes),
        ),
        COUNT,
    )
)  # fmt: skip
for metric in ("psnr_hole", "ssim_hole", "sharpness", "features"):
    others = {name: mean(one.baselines[name][metric] for one in judged) for name in judged[0].baselines}
    print(metric, {"mini": mean(one.scores[metric] for one in judged)} | others)
rows = [judged[i : i + COLUMNS] for i in range(0, len(judged), COLUMNS)]
sheet = np.full((len(rows) * TILE, COLUMNS * 2 * TILE, 3), 40, np.uint8)
for i, row in enumerate(rows):
    for j, one in enumerate(row):
        for k, name in enumerate(("source", "result")):
            small = panel(one.panels[name] / 255, TILE - 2)
            top, left = i * TILE, (2 * j + k) * TILE
            sheet[top : top + small.shape[0], left : left + small.shape[1]] = small
picture = oiio.ImageBuf(sheet)
picture.specmod().attribute("Compression", "jpeg:82")
if not picture.write(str(Path(__file__).parent / "removals.jpg")):
    raise SystemExit(picture.geterror())
