"""Training packs made on the spot: red discs with a soft edge on green; and a triplet as if it were built."""

import csv
import io
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

from omnialpha_cli.lab.data.admission import composed
from omnialpha_cli.lab.data.captions import Captions
from omnialpha_cli.lab.data.shards import Sample


def stage(part: str, size: int = 64, steps: int = 1, batch: int = 1, lr: float = 1e-3) -> str:
    """Return the TOML of a stage that trains a part of a recipe."""
    return f"[[{part}.stages]]\nsize = {size}\nsteps = {steps}\nbatch = {batch}\nlr = {lr}\n"


WORDS = Captions("a red apple", "a wooden table", "a red apple on a wooden table")


def disc(size: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    centre, radius = size * rng.uniform(0.45, 0.55, 2), size * 0.25
    alpha = np.clip((radius - np.hypot(y - centre[0], x - centre[1])) / 2 + 0.5, 0, 1)[..., None]
    texture = rng.integers(0, 30, (size, size, 1))
    rgb = alpha * (np.array([200, 40, 40]) + texture) + (1 - alpha) * (np.array([30, 140, 60]) + texture)
    return np.dstack((rgb, alpha * 255)).round().astype(np.uint8)


def encoded(array: np.ndarray, kind: str) -> bytes:
    out = io.BytesIO()
    Image.fromarray(array).save(out, kind)
    return out.getvalue()


def write_tar(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def index(fields: list[str], rows: list[list[object]]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(fields)
    writer.writerows(rows)
    return out.getvalue().encode()


def triplet(**more) -> Sample:
    """A red square with its shadow on a table."""
    foreground = np.zeros((48, 64, 4), np.uint8)
    foreground[..., 0] = 220
    foreground[14:34, 20:44, 3] = 255
    background = np.full((48, 64, 3), (120, 90, 60), np.uint8)
    effects = np.zeros((48, 64, 4), np.uint8)
    effects[34:40, 20:44, 3] = 160
    scene = (composed(foreground, effects, background) * 255).round().astype(np.uint8)
    pictures = {"scene": scene, "foreground": foreground, "background": background, "effects": effects}
    record = {
        "pictures": pictures,
        "index": 0,
        "kind": "composed",
        "split": "train",
        "label": "apple",
        "captions": WORDS,
        "effects": ("shadow",),
    }
    return Sample(**{**record, **more})
