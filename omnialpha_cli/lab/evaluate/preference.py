"""Ask people which of two results they prefer: a page that does not tell which is which, and the sum of the choices."""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from ...files import atomic
from ...media.image import Image
from ...media.inline import data_uri, encode_jpeg
from ...media.read import read_image
from ...status import ItemError, UsageError
from .folders import find_files, is_grey, matte_of, srgb
from .panels import panel
from .statistics import Interval, wilson

SCHEMA = "omnialpha-choices/1"
PAGE = Path(__file__).with_name("preference.html").read_text(encoding="utf-8")
SIDE = 640  # pixels of the longer side
CHOICES = ("left", "right", "tie")


@dataclass(frozen=True)
class Trial:
    """Hold two results for one picture, JPEG; `swapped` tells that B is on the left."""

    name: str
    swapped: bool
    left: bytes
    right: bytes
    source: bytes | None = None


@dataclass(frozen=True)
class Preference:
    """Hold what was chosen: `share` is that of B, ties being half; `left` is how often the left was taken."""

    a: str
    b: str
    wins_a: int
    wins_b: int
    ties: int
    left: int
    share: Interval


def trials(
    a: Path, b: Path, sources: Path | None, limit: int | None, seed: int, names: Mapping[str, str] | None = None
) -> Iterator[Trial | ItemError]:
    """Return pictures that both folders have, in an order and on sides drawn by `seed`. Raises UsageError if none.

    `names` are others for some of their pictures, as of `find_files`.
    """
    one, other, source = (find_files(folder, ("",), names) if folder else {} for folder in (a, b, sources))
    shared = sorted(key for key in one if key in other)
    if not shared:
        raise UsageError(f"{a} and {b} have no picture of the same name: map them with --names")
    g = np.random.default_rng(seed)
    for key in [shared[i] for i in g.permutation(len(shared))][:limit]:
        swapped = bool(g.integers(2))
        try:
            made_of = read_image(source[key][0]) if key in source else None
            sides = (other, one) if swapped else (one, other)
            left, right = (_jpeg(_cut_out(read_image(files[key][0]), made_of)) for files in sides)
            yield Trial(key[0], swapped, left, right, None if made_of is None else _jpeg(made_of))
        except ItemError as error:
            yield error


def write_trials(path: Path, shown: Sequence[Trial], a: str, b: str) -> None:
    """Write the page: self-contained; its choices are saved as a JSON file. Raises ItemError `write`."""
    data = {
        "about": _seal({"a": a, "b": b}),
        "trials": [
            {
                "token": _seal({"name": trial.name, "swapped": trial.swapped}),
                "left": data_uri(trial.left),
                "right": data_uri(trial.right),
                "source": trial.source and data_uri(trial.source),
            }
            for trial in shown
        ],
    }
    text = json.dumps(data).replace("<", "\\u003c")
    page = PAGE.replace("<!-- SCHEMA -->", escape(SCHEMA)).replace("<!-- DATA -->", text)
    with atomic(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def read_choices(path: Path) -> Preference:
    """Add up the choices that the page saved. Raises UsageError."""
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        about, choices = _open(saved["about"]), saved["choices"]
        names = [_open(choice["token"]) for choice in choices]
        taken = [choice["choice"] for choice in choices]
        if saved["schema"] != SCHEMA or not set(taken) <= set(CHOICES):
            raise ValueError("it was saved by another version")
        if len({one["name"] for one in names}) != len(names):
            raise ValueError("a picture was chosen twice")
        if not choices:
            raise ValueError("it holds no choice")
    except OSError as error:
        raise UsageError(f"--summary {path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        reasons = {json.JSONDecodeError: "no JSON", KeyError: f"it lacks {error}"}
        reason = reasons.get(type(error), error)
        raise UsageError(f"--summary {path} is not a file of choices from `eval preference`: {reason}") from error
    b_side = ["left" if one["swapped"] else "right" for one in names]
    ties = taken.count("tie")
    wins_b = sum(choice == side for choice, side in zip(taken, b_side, strict=True))
    wins_a = len(taken) - ties - wins_b
    share = wilson(wins_b + ties / 2, len(taken))
    return Preference(about["a"], about["b"], wins_a, wins_b, ties, taken.count("left"), share)


def _cut_out(result: Image, source: Image | None) -> Image:
    """Show a matte alone as a cut-out of its source, for it to look like one; any other result as it is."""
    if source is None or result.size != source.size or is_grey(source) or not is_grey(result):
        return result
    alpha = matte_of(result)
    return result if alpha is result.alpha else replace(source, alpha=alpha)


def _jpeg(image: Image) -> bytes:
    rgb = srgb(image)
    pixels = rgb if image.alpha is None else np.dstack((rgb, image.alpha))
    return encode_jpeg(panel(pixels, SIDE))


def _seal(value: dict[str, Any]) -> str:
    """Encode what is not secret, but is not to be read in passing either."""
    return base64.b64encode(json.dumps(value).encode()).decode()


def _open(sealed: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(base64.b64decode(sealed))
    return value
