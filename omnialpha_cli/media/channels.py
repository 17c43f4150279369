"""Choose which part and channels of a file are its picture: the beauty, or the layer and view that the user chose.

Names are those of OpenEXR (Interpreting OpenEXR files: layer.view.channel), as Nuke, Blender, Arnold and Houdini write
them.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import OpenImageIO as oiio

from ..status import ItemError, RunNote
from .opening import parts_of, printable
from .samples import DEPTH_OF

COLOURS: tuple[tuple[str, ...], ...] = (("r", "g", "b"), ("red", "green", "blue"), ("y",))
CHROMA = {"ry", "by"}  # beside which y is no grey
ALPHAS = ("a", "alpha")
PRINT = ("C", "M", "Y", "K")
BEAUTY = ("rgba", "beauty", "combined", "composite")  # names of layers, the first that is there
DEFAULT_VIEWS = ("", "main", "left")  # where a file does not say which is its own
CRYPTOMATTE = "crypto"  # names of layers begin with it: numbers of objects, not colours
KEPT_TYPES = ("half", "float")
MOST_NAMES = 20  # in a message


@dataclass(frozen=True)
class Pick:
    """Hold what the user chose of files with several pictures; None leaves it to the rules."""

    layer: str | None = None
    view: str | None = None
    part: int | None = None
    option: str = "--layer"  # by which it was, or can be, chosen
    keeps: bool = False  # the other channels of an EXR file too


@dataclass(frozen=True)
class Channels:
    """Describe a picture in a file: its part, and its channels there, three of colour or one of grey, then alpha.

    `layer` is empty for channels without a prefix in a file of one part; `bare` tells that they have no prefix.
    """

    part: int
    indices: tuple[int, ...]
    has_alpha: bool
    sample: str  # as OpenImageIO calls it
    layer: str = ""
    view: str = ""
    bare: bool = True

    @property
    def has_colour(self) -> bool:
        """Tell whether it has three channels of colour."""
        return len(self.indices) >= 3

    @property
    def name(self) -> str:
        """Return what messages call it."""
        name = self.layer or ("RGBA" if self.has_alpha else "RGB")
        return f"{name} ({self.view})" if self.view else name


def choose_channels(
    path: Path, reader: oiio.ImageInput, pick: Pick | None = None, data: bool = False
) -> tuple[Channels, tuple[str, ...], list[str]]:
    """Choose the picture of a file; give its channels, the names of the others, and what the user should be told.

    The reader stays at its part. It is the layer and view of `pick`, else what has no prefix, else `BEAUTY`, else the
    only one there. Of a picture that is `data`, such as a mask, a channel of alpha alone serves, or the only one that
    there is. Raises `ItemError` `unsupported`, also where several fit and no rule decides.
    """
    pick = pick or Pick()
    is_exr = reader.format_name() == "openexr"
    # Decoders of other formats may forget faults while they look for parts.
    parts = [spec for _, spec in parts_of(reader)] if is_exr else [reader.spec()]
    flat = [(part, spec) for part, spec in enumerate(parts) if not spec.deep]
    found = [one for part, spec in flat for one in _pictures(part, spec, len(parts) > 1)
             if pick.part in (None, part)]  # fmt: skip
    if pick.layer is not None:
        found = _named(path, found, flat, pick)
    elif data and not found:
        found = [one for part, spec in flat if (one := _lone(part, spec))]
    if not found:
        raise ItemError("unsupported", _refusal(path, parts, pick))
    chosen = _beauty(path, _of_view(path, found, parts, pick), pick)
    if is_exr:
        reader.seek_subimage(chosen.part, 0)
    if chosen.sample not in DEPTH_OF:
        raise ItemError("unsupported", f"{path} has {chosen.sample} samples: save it as 8 or 16 bits, half or float")
    others = [
        (name, is_exr and pick.keeps and can_be_kept(spec, i, part == chosen.part))
        for part, spec in enumerate(parts)
        for i, name in enumerate(spec.channelnames)
        if part != chosen.part or i not in chosen.indices
    ]
    names = tuple(name for name, _ in others)
    if not others or (data and pick.layer):  # whoever names the channels of a mask knows them
        return chosen, names, []
    return chosen, names, [_taken(path, chosen, parts, [name for name, kept in others if not kept])]


def can_be_kept(spec: oiio.ImageSpec, channel: int, beside: bool) -> bool:
    """Tell whether a channel of a part can be written again; `beside` the picture, in its part, only half and float."""
    return not spec.deep and (not beside or str(spec.channelformat(channel)) in KEPT_TYPES)


def listed(names: Sequence[str]) -> str:
    """Return names on one line, of very many the first."""
    more = f" and {len(names) - MOST_NAMES} others" if len(names) > MOST_NAMES else ""
    return " ".join(printable(", ".join(names[:MOST_NAMES])).split()) + more


def _pictures(part: int, spec: oiio.ImageSpec, several: bool) -> list[Channels]:
    """List a part's pictures: one a prefix that has colours, or a grey. `several` tells that there are other parts."""
    names = list(spec.channelnames)
    if set(PRINT) <= set(names):
        return []
    groups: dict[str, dict[str, int]] = {}  # prefix → channel without it, in lower case → its index
    for index, name in enumerate(names):
        prefix, _, channel = name.rpartition(".")
        groups.setdefault(prefix, {}).setdefault(channel.lower(), index)
    views = list(spec.getattribute("multiView") or ())  # the first is that of channels which name none
    own_view = spec.get_string_attribute("view") or (views[0] if views else "")
    part_name = _without_view(spec.get_string_attribute("oiio:subimagename"), own_view) if several else ""
    found = []
    for prefix, channels in groups.items():
        words, view = prefix.split(".") if prefix else [], own_view
        if words and words[-1] in views:
            view = words.pop()
        colours = next((wanted for wanted in COLOURS if set(wanted) <= channels.keys()), None)
        if colours and not (colours == ("y",) and CHROMA & channels.keys()):
            alpha = [name for name in ALPHAS if name in channels][:1]
            indices = tuple(channels[name] for name in (*colours, *alpha))
            layer = ".".join(words) or part_name
            found.append(Channels(part, indices, bool(alpha), _sample(spec, indices), layer, view, not words))
    return found


def _without_view(name: str, view: str) -> str:
    """Return the name of a part without that of its view: `rgba_left` and `rgba.left` are the layer `rgba`."""
    return re.sub(rf"[._-]?{re.escape(view)}$", "", name) if view else name


def _named(
    path: Path, found: Sequence[Channels], parts: Sequence[tuple[int, oiio.ImageSpec]], pick: Pick
) -> list[Channels]:
    """Return the pictures of the layer that the user names: exactly, ignoring case, or by its last word or channel."""
    wanted = (pick.layer or "").casefold()
    tests: tuple[Callable[[Channels], bool], ...] = (
        lambda one: one.layer == pick.layer,
        lambda one: one.layer.casefold() == wanted,
        lambda one: _last(one.layer) == wanted,
        lambda one: one.bare and not one.layer and wanted in ("rgb", "rgba"),
    )
    for test in tests:
        if matching := [one for one in found if test(one)]:
            return matching
    for part, spec in parts:
        names = [name.casefold() for name in spec.channelnames]
        alone = [name for name in names if name.rpartition(".")[0] == wanted]  # such as roto.A
        for name in (wanted, *(alone if len(alone) == 1 else ())):
            if name in names:
                index = (names.index(name),)
                return [Channels(part, index, False, _sample(spec, index), spec.channelnames[index[0]], bare=False)]
    taken = {(one.part, index) for one in found for index in one.indices}
    alone = [name for part, spec in parts for i, name in enumerate(spec.channelnames) if (part, i) not in taken]
    there = list(dict.fromkeys([*(one.layer or "RGBA" for one in found), *alone]))
    if not there:
        return []
    raise ItemError("unsupported", f"{path} has no layer {pick.layer} ({pick.option}): it has {listed(there)}")


def _of_view(path: Path, found: Sequence[Channels], parts: Sequence[oiio.ImageSpec], pick: Pick) -> list[Channels]:
    """Return the pictures of the view that the user chose, else of the file's own."""
    views = list(dict.fromkeys(one.view for one in found))
    if pick.view is not None and (any(views) or pick.option == "--layer"):  # a hint need not have views
        chosen = next((view for view in views if view.casefold() == pick.view.casefold()), None)
        if chosen is None:
            there = f"it has {listed(views)}" if any(views) else "it names none"
            raise ItemError("unsupported", f"{path} has no view {pick.view} (--view): {there}")
    else:
        order = [*(view for spec in parts for view in spec.getattribute("multiView") or ()), *DEFAULT_VIEWS, *views]
        chosen = next(view for view in order if view in views)
    return [one for one in found if one.view == chosen]


def _beauty(path: Path, found: Sequence[Channels], pick: Pick) -> Channels:
    """Return the picture that is meant. Raises `ItemError` where no rule decides."""
    pictures = [one for one in found if one.has_colour and not _last(one.layer).startswith(CRYPTOMATTE)]
    pictures = pictures or list(found)
    bare = [one for one in pictures if one.bare]
    called = [[one for one in pictures if _last(one.layer) == name] for name in BEAUTY]
    several = len(bare) > 1
    orders = (*called, bare) if several else (bare, *called)
    with_alpha = [one for one in bare if one.has_alpha] if several else []
    for fitting in (*orders, with_alpha, pictures):
        if len(fitting) == 1:
            return fitting[0]
        if fitting and fitting is not bare:
            pictures = fitting
            break
    names = listed([one.name for one in pictures])
    raise ItemError("unsupported", f"{path} has several pictures: {names}; choose one with {pick.option}")


def _last(layer: str) -> str:
    """Return the last word of a layer's name: that of a pass, which may follow that of a view layer."""
    return layer.casefold().rpartition(".")[2]


def _taken(path: Path, chosen: Channels, parts: Sequence[oiio.ImageSpec], lost: Sequence[str]) -> str:
    what = chosen.name if chosen.has_colour else parts[chosen.part].channelnames[chosen.indices[0]]
    where = f" of part {chosen.part + 1} of {len(parts)}" if len(parts) > 1 else ""
    rest = f", its channels {listed(lost)} are left out" if lost else "; its other channels are kept"
    return RunNote(f"{path}: {listed([what])}{where} is used{rest}")


def _lone(part: int, spec: oiio.ImageSpec) -> Channels | None:
    """Return a part's first channel of alpha, or the only one that it has, as grey."""
    names = list(spec.channelnames)
    alphas = [i for i, name in enumerate(names) if name.rpartition(".")[2].lower() in ALPHAS]
    indices = tuple(alphas[:1] or (range(1) if len(names) == 1 else ()))
    if not indices:
        return None
    layer = names[indices[0]].rpartition(".")[0]
    return Channels(part, indices, False, _sample(spec, indices), layer, bare=not layer)


def _sample(spec: oiio.ImageSpec, indices: tuple[int, ...]) -> str:
    types = {str(spec.channelformat(index)) for index in indices}
    return types.pop() if len(types) == 1 else str(spec.format)


def _refusal(path: Path, parts: Sequence[oiio.ImageSpec], pick: Pick) -> str:
    if any(spec.deep for spec in parts):
        return f"{path} holds deep samples: flatten it first, in Nuke with DeepToImage"
    names = listed([name for spec in parts for name in spec.channelnames])
    return f"{path} has the channels {names}: save it as RGB or RGBA, or choose one with {pick.option}"
