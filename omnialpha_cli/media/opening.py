"""Open files with OpenImageIO: alpha as the file has it, and luminance-chroma EXR too."""

import threading

import OpenImageIO as oiio

from .complaints import complaint

SUBSAMPLED = "Subsampled channels are not supported"
_reader_of_exr = threading.Lock()


def open_file(name: str, **options: int) -> tuple[oiio.ImageInput | None, str]:
    """Open the file `name`; give its reader, or None and what kept it from being opened. Alpha stays unassociated where
    it is. `options` are OpenImageIO's, without their prefix.
    """
    wanted = oiio.ImageSpec()
    wanted.attribute("oiio:UnassociatedAlpha", 1)
    for option, value in options.items():
        wanted.attribute(f"oiio:{option}", value)
    reader = oiio.ImageInput.open(name, wanted)
    fault = "" if reader else complaint()
    if SUBSAMPLED in fault:
        reader = _open_subsampled(name, wanted)
    return reader, fault


def _open_subsampled(name: str, wanted: oiio.ImageSpec) -> oiio.ImageInput | None:
    """Open a luminance-chroma EXR file, which only OpenImageIO's older reader takes; that is chosen for the process."""
    with _reader_of_exr:
        oiio.attribute("openexr:core", 0)
        try:
            reader = oiio.ImageInput.open(name, wanted)
        finally:
            oiio.attribute("openexr:core", 1)
    complaint()
    return reader
