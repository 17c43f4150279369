"""A little training material: discs with a name and without, cut-outs and backgrounds."""

from pathlib import Path

import pytest
from training_packs import disc, encoded, index, write_tar

from omnialpha_cli.lab.train.material import Material, make_material
from omnialpha_cli.lab.train.packs import read_packs


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
    return make_material(read_packs(**{kind: [path] for kind, path in packs.items()}))
