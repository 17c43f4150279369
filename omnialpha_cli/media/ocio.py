"""Convert colour spaces by name, with OpenColorIO: those of $OCIO, else of OpenImageIO's studio configuration."""

import difflib
import os
from functools import cache
from typing import Any

import numpy as np

from ..status import UsageError
from .samples import Floats

STUDIO = "ocio://studio-config-latest"
# Scene-linear spaces that configurations have, by name or alias, and the names of their primaries: one is where all
# spaces meet.
MEETINGS = (
    ("Linear Rec.709 (sRGB)", "rec709"),
    ("lin_rec709_scene", "rec709"),
    ("lin_rec709", "rec709"),
    ("Utility - Linear - sRGB", "rec709"),
    ("Utility - Linear - Rec.709", "rec709"),
    ("lin_ap1", "ap1"),
    ("ACES - ACEScg", "ap1"),
    ("ACES2065-1", "ap0"),
    ("aces_interchange", "ap0"),
)
NEAR = 5  # names that are shown in place of a wrong one


def check_name(name: str) -> None:
    """Raise UsageError where no space has that name, alias or role; it lists the near ones."""
    config = _config()
    if config.getColorSpaceIndex(name) < 0 and not config.getColorSpaceNameByRole(name):
        raise UsageError(f"no colour space is called {name}: {_near(name)}")


def convert(rgb: Floats, source: str, target: str) -> Floats:
    """Convert colours (…, 3) from one space to another. Raises UsageError."""
    import OpenImageIO as oiio

    pixels = np.ascontiguousarray(rgb, np.float32).reshape(1, -1, 3) if rgb.ndim != 3 else np.ascontiguousarray(rgb)
    buffer = oiio.ImageBuf(pixels)
    options: dict[str, Any] = {"unpremult": False, "colorconfig": _name_of_config(), "nthreads": 1}
    result = oiio.ImageBufAlgo.colorconvert(buffer, source, target, **options)
    if result.has_error:
        fault = " ".join(result.geterror().split())
        raise UsageError(f"{source} cannot be converted to {target}: {fault}")
    converted: Any = result.get_pixels(oiio.FLOAT)
    return np.asarray(converted, np.float32).reshape(rgb.shape)


@cache
def find_meeting() -> tuple[str, str]:
    """Return the scene-linear space of the configuration where all spaces meet, and the name of its primaries."""
    config = _config()
    for name, primaries in MEETINGS:
        if config.getColorSpaceIndex(name) >= 0 or config.getColorSpaceNameByRole(name):
            return name, primaries
    raise UsageError(f"{_name_of_config()} has no linear space whose primaries are known: ACES2065-1 or the role "
                     "aces_interchange")  # fmt: skip


def describe_config() -> str:
    """Say which configuration there is, and how many spaces it has. Raises UsageError."""
    whose = "of $OCIO" if os.environ.get("OCIO") else "built in; $OCIO is not set"
    return f"{_name_of_config()} ({whose}), {len(_config().getColorSpaceNames())} colour spaces"


def _name_of_config() -> str:
    return os.environ.get("OCIO") or STUDIO


@cache
def _config() -> Any:
    import OpenImageIO as oiio

    config = oiio.ColorConfig(_name_of_config())
    if fault := config.geterror():
        raise UsageError(f"the OCIO configuration {_name_of_config()} cannot be read: {' '.join(fault.split())}")
    return config


def _near(name: str) -> str:
    config = _config()
    names = list(config.getColorSpaceNames())
    spelt = {alias.casefold(): known for known in names for alias in (known, *config.getAliases(known))}
    wanted = name.casefold()
    containing = [known for known in names if wanted in known.casefold()]
    close = [spelt[one] for one in difflib.get_close_matches(wanted, spelt, NEAR, 0.4)]
    shown = list(dict.fromkeys([*containing, *close]))[:NEAR] or names[:NEAR]
    return f"{_name_of_config()} has {', '.join(shown)}{', …' if len(shown) < len(names) else ''}"
