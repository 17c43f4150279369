"""File names for OpenImageIO, which takes text only, while on Linux a name may be any bytes."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def spelled(path: Path) -> Iterator[str]:
    """A name, within the block, by which an existing file can be opened: its own, or, if it is not UTF-8, a link's."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        with tempfile.TemporaryDirectory(prefix="omnialpha-") as folder:
            link = Path(folder, f"link{path.suffix}" if path.suffix.isascii() else "link")
            link.symlink_to(os.path.realpath(path))
            yield str(link)
    else:
        yield str(path)
