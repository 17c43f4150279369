"""The model as a Python user meets it: weights by name, pictures in and out. The commands use the same functions."""

import os
from pathlib import Path
from typing import Any, Self

import torch
from numpy.typing import NDArray

from .media.image import from_array
from .media.read import read_image
from .media.write import quantise
from .model import omnialpha
from .runner.devices import choose_device, is_out_of_memory
from .runner.finish import finish
from .runner.prepare import prepare
from .runner.settings import Settings
from .status import DeviceError, WeightsError
from .tasks import TASKS
from .weights import store


class OmniAlpha(omnialpha.OmniAlpha):
    """The model with its weights."""

    @classmethod
    def load(
        cls,
        name_or_folder: str | Path = store.EMBEDDED,
        device: str | torch.device = "auto",
        dtype: torch.dtype = torch.float32,
    ) -> Self:
        """Load weights by a name in weights.lock, whose files are verified first, or from a folder with config.json.

        Raises `status.WeightsError` or `status.DeviceError`.
        """
        weights = store.find(str(name_or_folder))
        weights.verify()
        place = choose_device(str(device))
        try:
            return super().load(weights.folder, place, dtype)
        except Exception as error:  # each file format has its own
            if is_out_of_memory(error):
                raise DeviceError(f"weights {weights.name} do not fit into the memory of {place}") from error
            raise WeightsError(f"weights {weights.name} in {weights.folder} do not load: {error}") from error

    def matte(
        self,
        image: Any,
        *,
        seed: int = 0,
        steps: int | None = None,
        guidance: float | None = None,
        canvas: int | None = None,
    ) -> NDArray[Any]:
        """Cut the foreground out of one picture: a path, a PIL image, or an array as `media.image.from_array` takes.

        Returns straight RGBA (H, W, 4) of the picture's own depth: uint8, uint16, or float32 with white at 1. None
        stands for the weights' own setting. Raises `status.ItemError`.
        """
        picture = read_image(Path(image)) if isinstance(image, (str, os.PathLike)) else from_array(image)
        prepared = prepare(TASKS["matte.auto"], [picture], self.defaults, Settings(seed, steps, guidance, canvas))
        (layers,) = self.run([prepared.request], steps=steps, guidance=guidance)
        (cut_out,) = finish(prepared, layers)
        rgba = cut_out.permute(1, 2, 0).contiguous().numpy()  # (H, W, 4)
        if picture.depth == "half" or picture.depth == "float":
            return rgba
        return quantise(rgba, picture.depth)
