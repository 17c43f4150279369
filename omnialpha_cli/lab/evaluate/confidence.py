"""Calibrate the confidence of mattes on masks that people drew, and tell how far it is to be trusted.

A row is one held-out picture: the signs that its undecided alpha gives, and the IoU that its matte has.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...api import OmniAlpha
from ...model.mini.model import Mini
from ...model.mini.segmenter import Confidence, signs_of
from ...status import UsageError
from ..train.packs import Picture
from .judge import KEPT, judge_matte

BAD = 0.8  # IoU below which a matte is bad
FOLDS, REPEATS = 10, 10  # of cross-fitting, by other shuffles
BINS = 10  # of equal width
RIDGE = 1.0  # on slopes of signs that vary by 1: rows that all agree would make them infinite
DRAWS = 200  # of what would be kept if the chances were exact


@dataclass(frozen=True)
class Row:
    """Hold one picture's signs as `signs_of` gives them, and the IoU of its matte."""

    name: str
    expected: float
    agreement: float
    iou: float


@dataclass(frozen=True)
class Calibration:
    """Hold the confidence that was fitted on all rows, and how good it is on rows that it was not fitted on.

    The latter are `chances` of the rows, their expected calibration error, and the share of bad mattes among the least
    confident tenth. `floor` is the error that exact chances would have of so few rows.
    """

    fitted: Confidence
    chances: Tensor
    ece: float
    floor: float
    worst_tenth: float


class _Signs:
    """Take the place of a confidence, and remember the signs that it would have gone by."""

    last: tuple[float, float]

    def __call__(self, undecided: Tensor, reduced: Tensor) -> Tensor:
        signs = signs_of(undecided, reduced)
        expected, agreement = signs[-1].tolist()
        self.last = (expected, agreement)
        return signs[:, 0].sigmoid()


def measure(model: OmniAlpha, pictures: Sequence[Picture]) -> Iterator[Row]:
    """Make and judge the mattes of pictures with masks. Raises UsageError of weights without a segmenter."""
    if not isinstance(model.model, Mini) or model.model.specialist("segmenter") is None:
        raise UsageError("only weights with a segmenter tell how sure they are")
    model.model.confidence = signs = _Signs()  # type: ignore[assignment]
    for picture in pictures:
        found = np.divide(model.matte(picture.rgba[..., :3]), np.float32(255))
        known = np.divide(picture.rgba[..., 3], np.float32(255))
        iou = judge_matte(picture.name, None, found, known, None, picture.weights).scores["iou"]
        yield Row(picture.name, *signs.last, iou)


def read_rows(path: Path, weights: str) -> list[Row] | None:
    """Read rows that were kept, None where there are none of the `weights`' identity."""
    if not path.exists():
        return None
    kept = json.loads(path.read_text(encoding="utf-8"))
    return [Row(**row) for row in kept["rows"]] if kept["weights"] == weights else None


def keep_rows(path: Path, weights: str, rows: Sequence[Row]) -> None:
    """Write rows, with the identity of the weights that they are of."""
    content = {"weights": weights, "rows": [asdict(row) for row in rows]}
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def calibrate(rows: Sequence[Row]) -> Calibration:
    """Fit the chance that a matte is kept, and judge it by cross-fitting."""
    signs = torch.tensor([(row.expected, row.agreement) for row in rows])  # (n, 2)
    iou = torch.tensor([row.iou for row in rows], dtype=torch.float64)
    kept = (iou >= KEPT).float()
    chances = torch.zeros(len(rows))
    g = torch.Generator().manual_seed(0)
    for _ in range(REPEATS):
        order = torch.randperm(len(rows), generator=g)
        for fold in range(FOLDS):
            out = order[fold::FOLDS]
            others = torch.ones(len(rows), dtype=torch.bool).index_fill_(0, out, False)
            chances[out] += chances_of(fit(signs[others], kept[others]), signs[out]) / REPEATS
    drawn = [calibration_error(chances, torch.bernoulli(chances, generator=g)) for _ in range(DRAWS)]
    worst = chances.argsort()[: max(1, len(rows) // 10)]
    bad = float((iou[worst] < BAD).float().mean())
    error = calibration_error(chances, kept)
    return Calibration(fit(signs, kept), chances, error, sum(drawn) / DRAWS, bad)


def chances_of(fitted: Confidence, signs: Tensor) -> Tensor:
    """Return the chances (n,) of signs (n, 2)."""
    return (fitted.bias + signs @ torch.tensor((fitted.expected, fitted.agreement))).sigmoid()


def fit(signs: Tensor, kept: Tensor) -> Confidence:
    """Fit the logistic function that makes what was `kept` (n,), 0 or 1, most likely by signs (n, 2)."""
    mean, deviation = signs.double().mean(0), signs.double().std(0).clamp(min=1e-6)
    inputs = torch.cat((torch.ones(len(signs), 1), (signs - mean) / deviation), 1).double()  # (n, 3)
    values, ridge = torch.zeros(3).double(), torch.diag(torch.tensor([1e-6, RIDGE, RIDGE]).double())
    for _ in range(30):  # Newton's steps
        chance = (inputs @ values).sigmoid()
        slope = inputs.T @ (chance - kept) + ridge @ values
        values = values - torch.linalg.solve((inputs.T * (chance * (1 - chance))) @ inputs + ridge, slope)
    slopes = values[1:] / deviation
    bias = values[0] - (slopes * mean).sum()
    return Confidence(*(round(float(value), 4) for value in (bias, *slopes)))


def bins(chances: Tensor, kept: Tensor) -> Iterator[tuple[int, float, float]]:
    """Give for each bin of chances that has some their number, their mean, and the share that was kept."""
    places = (chances * BINS).long().clamp(max=BINS - 1)
    for place in places.unique():
        inside = places == place
        yield int(inside.sum()), float(chances[inside].mean()), float(kept[inside].mean())


def calibration_error(chances: Tensor, kept: Tensor) -> float:
    """Return the expected calibration error: by how much chances and shares differ, weighted by number."""
    return sum(count * abs(chance - share) for count, chance, share in bins(chances, kept)) / len(chances)


def diagram(chances: Tensor, kept: Tensor) -> NDArray[np.uint8]:
    """Draw the reliability diagram (H, W, 3): a dot a bin, its area by the number of pictures, beside the diagonal."""
    side, left, top = 400, 70, 20
    image = PIL.Image.new("RGB", (left + side + 20, top + side + 60), "white")
    draw = PIL.ImageDraw.Draw(image)
    font = PIL.ImageFont.load_default(14)

    def place(x: float, y: float) -> tuple[float, float]:
        return left + x * side, top + (1 - y) * side

    for tick in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        draw.line((place(tick, 0), place(tick, 1)), "#e4e4e4")
        draw.line((place(0, tick), place(1, tick)), "#e4e4e4")
        draw.text(place(tick, -0.02), f"{tick:.1f}", "#444", font, "mt")
        draw.text(place(-0.02, tick), f"{tick:.1f}", "#444", font, "rm")
    draw.line((place(0, 0), place(1, 1)), "#999", 2)
    for count, chance, share in bins(chances, kept):
        (x, y), radius = place(chance, share), 3 + 14 * (count / len(chances)) ** 0.5
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), "#2f6db5")
        draw.text((x + radius + 3, y), str(count), "#444", font, "lm")
    draw.text(place(0.5, -0.1), "confidence", "#222", font, "mt")
    draw.text((4, top), "kept", "#222", font, "lt")
    return np.asarray(image)
