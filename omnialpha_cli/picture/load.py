"""Load a model by the name of its weights, and tell what goes wrong as a fault of the run."""

from pathlib import Path

import torch

from ..model.load_options import LoadOptions
from ..model.omnialpha import OmniAlpha
from ..status import DeviceError, WeightsError
from ..weights import store
from .devices import check_compiler, choose_device, is_out_of_memory


def load_model(
    name_or_folder: str | Path, device: str | torch.device, dtype: torch.dtype | None, options: LoadOptions
) -> OmniAlpha:
    """Load weights by a name in weights.lock, whose files are verified first, or from a folder.

    Raises WeightsError or DeviceError.
    """
    weights = store.find(str(name_or_folder))
    weights.verify()
    place = choose_device(str(device))
    if options.compile_blocks:  # otherwise every item would fail by itself
        check_compiler(place)
    try:
        return OmniAlpha.load(weights.folder, place, dtype, options)
    except Exception as error:  # each file format has its own
        if is_out_of_memory(error):
            raise DeviceError(f"weights {weights.name} do not fit into the memory of {place}") from error
        raise WeightsError(f"weights {weights.name} in {weights.folder} do not load: {error}") from error
