"""Read Photoshop's files: their composite, which is what their layers look like together."""

from pathlib import Path

from ..status import ItemError
from .pillow import damaged


def check_composite(path: Path) -> None:
    """Raise `ItemError` where a PSD file has layers but no composite: `unsupported`; or is damaged: `unreadable`."""
    from psd_tools import PSDImage

    try:
        whole = PSDImage.open(path).has_preview()
    except Exception as error:  # its parser raises whatever the damage leads to
        raise damaged(path, error) from error
    if not whole:
        raise ItemError("unsupported", f"{path} has no composite: save it again with Maximize Compatibility")
