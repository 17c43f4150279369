"""Run batches of RGBA work with one sequence-to-sequence diffusion transformer (OmniAlpha, arXiv 2511.20211).

`OmniAlpha.load("mini").matte(image)` is the whole of it in Python; importing the package does not import torch.
"""

from typing import TYPE_CHECKING, Any

from .status import DeviceError, ItemError, NoInputsError, OmniAlphaError, OmniAlphaWarning, UsageError, WeightsError

if TYPE_CHECKING:
    from .api import OmniAlpha

__all__ = ["DeviceError", "ItemError", "NoInputsError", "OmniAlpha", "OmniAlphaError", "OmniAlphaWarning",
           "UsageError", "WeightsError", "__version__"]  # fmt: skip
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name == "OmniAlpha":
        from .api import OmniAlpha

        return OmniAlpha
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
