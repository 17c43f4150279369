"""A little training material: red discs with a soft edge on green, named and not, cut-outs and backgrounds."""

import csv
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from omnialpha_cli.training.examples import Material, make_material
from omnialpha_cli.training.packs import read_packs


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


@pytest.fixture(scope="session")
def packs(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("packs")
    photos: dict[str, bytes] = {}
    rows: list[list[object]] = []
    for i in range(6):
        rgba = disc(72, i)
        photos[f"p{i}.jpg"], photos[f"p{i}.png"] = encoded(rgba[..., :3], "JPEG"), encoded(rgba[..., 3], "PNG")
        rows.append([f"p{i}", "disc" if i % 2 else "", 0.99, "val" if i == 5 else "train"])
    photos["index.csv"] = index(["name", "label", "confidence", "split"], rows)
    cutouts = {f"c{i}.webp": encoded(disc(64, 10 + i), "WEBP") for i in range(2)}
    cutouts["index.csv"] = index(["file", "label"], [[name, "red disc"] for name in cutouts])
    backgrounds = {f"b{i}.jpg": encoded(disc(64, 20 + i)[..., :3], "JPEG") for i in range(2)}
    return {
        "photos": write_tar(folder / "photos.tar", photos),
        "cutouts": write_tar(folder / "cutouts.tar", cutouts),
        "backgrounds": write_tar(folder / "backgrounds.tar", backgrounds),
    }


@pytest.fixture(scope="session")
def material(packs) -> Material:
    return make_material(read_packs(**packs))
