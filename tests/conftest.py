"""What several tests need: pictures on disk, and the weights of a tiny model."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image as PILImage
from tiny_model import tiny_model

from omnialpha_cli.training.export import write_weights

# The same examples in every run, and no limit on their time: a busy machine is not a fault.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

MakePicture = Callable[..., Path]


@pytest.fixture
def picture() -> MakePicture:
    """Writes a picture of random smooth colours; the suffix chooses the format, `mode` the channels."""

    def write(path: Path, size: tuple[int, int] = (96, 64), seed: int = 0, mode: str = "RGB") -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = np.random.default_rng(seed).integers(0, 256, (4, 6, len(mode)), np.uint8)
        PILImage.fromarray(coarse, mode).resize(size, PILImage.Resampling.BICUBIC).save(path)
        return path

    return write


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the weights of the tiny model."""
    folder = tmp_path_factory.mktemp("weights") / "tiny"
    write_weights(tiny_model(steps=1), "tiny", folder)
    return folder
