"""Batch RGBA work with one sequence-to-sequence diffusion transformer (OmniAlpha, arXiv 2511.20211).

`OmniAlpha.load("mini").matte(image)` is the whole of it in Python; importing the package does not import torch.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import OmniAlpha

__all__ = ["OmniAlpha", "__version__"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name == "OmniAlpha":
        from .api import OmniAlpha

        return OmniAlpha
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
