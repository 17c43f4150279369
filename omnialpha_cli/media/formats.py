"""List what each `--format` holds. No pixels here: planning needs it too."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ..status import UsageError

Depth = Literal["8", "16", "half", "float"]
DEPTHS: tuple[Depth, ...] = ("8", "16", "half", "float")
MANIFEST = "layers.json"  # describes the layers of a result that has a file a layer
SOURCE = "source"  # in place of a colour space: that of the source


@dataclass(frozen=True)
class Format:
    """Describe a format: `depths` gives, for a source's depth, the one in which nothing of it is lost, if there is one.

    `several` tells where the layers of a result go: each to a file of its own in a folder, or all into one file.
    `alpha` is what the format's own rules say of colour beside alpha. `holds` says which encodings of colour the file
    can tell its reader about; where EXR is meant, it is scene-linear light. `grey` tells whether there can be a picture
    of one channel (`--alpha-only`) in it, `readable` whether this tool reads it back, `transparent` whether it has
    alpha.
    """

    name: str
    suffix: str
    depths: Mapping[Depth, Depth]
    several: Literal["folder", "file"]
    alpha: Literal["straight", "either", "premultiplied"]
    holds: frozenset[str]
    grey: bool = True
    readable: bool = True
    transparent: bool = True

    def depth_for(self, source: Depth, wanted: Depth | None) -> Depth:
        """Return the depth to write. Raises UsageError if the format cannot hold it."""
        if wanted is not None and wanted not in self.depths.values():
            raise UsageError(f"--format {self.name} cannot hold --depth {wanted}: {self._advice(wanted)}")
        depth = wanted or self.depths.get(source)
        if depth is None:
            raise UsageError(f"--format {self.name} cannot hold its depth ({source}): {self._advice(source)}, "
                             f"or --depth {max(self.depths.values(), key=DEPTHS.index)}")  # fmt: skip
        return depth

    def _advice(self, depth: Depth) -> str:
        others = ", ".join(other.name for other in FORMATS.values() if depth in other.depths.values())
        return f"choose --format {others}"


_INTEGERS: Mapping[Depth, Depth] = {"8": "8", "16": "16"}
_ALL: Mapping[Depth, Depth] = {"8": "8", "16": "16", "half": "half", "float": "float"}
_BYTES: Mapping[Depth, Depth] = {"8": "8"}
# Half has 11 bits of precision: enough for 8, not for 16.
_LIGHT: Mapping[Depth, Depth] = {"8": "half", "16": "float", "half": "half", "float": "float"}
_PROFILE = frozenset({"icc", "srgb"})

FORMATS: dict[str, Format] = {
    row.name: row
    for row in (
        Format("png", ".png", _INTEGERS, "folder", "straight", _PROFILE | {"linear", "power", "cicp"}),
        Format("tiff", ".tif", _ALL, "file", "either", _PROFILE | {"linear"}),
        Format("tiff-pages", ".tif", _ALL, "file", "either", _PROFILE | {"linear"}),
        Format("exr", ".exr", _LIGHT, "file", "premultiplied", frozenset({"linear", "primaries"})),
        Format("ora", ".ora", _INTEGERS, "file", "straight", _PROFILE, grey=False, readable=False),
        Format("psd", ".psd", _BYTES, "file", "straight", _PROFILE, grey=False, readable=False),
        Format("webp", ".webp", _BYTES, "folder", "straight", _PROFILE),
        Format("jpg", ".jpg", _BYTES, "folder", "straight", _PROFILE, grey=False, transparent=False),
    )
}
DEFAULT: dict[Depth, str] = {"8": "png", "16": "png", "half": "exr", "float": "exr"}


def choose_format(name: str | None, source: Depth, wanted: Depth | None) -> Format:
    """Return the format called `name`, by default the one for the depth. Raises UsageError if it cannot hold that."""
    chosen = FORMATS[name or DEFAULT[wanted or source]]
    chosen.depth_for(source, wanted)
    return chosen
