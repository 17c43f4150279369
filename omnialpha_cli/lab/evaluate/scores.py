"""Name the figures, say which way is better, and summarise them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, median


@dataclass(frozen=True)
class Metric:
    """Describe how a figure is shown. `higher` tells that more of it is better."""

    title: str
    digits: int = 4
    higher: bool = False


METRICS: dict[str, Metric] = {
    "mse": Metric("MSE"),
    "mad": Metric("MAD"),
    "sad": Metric("SAD (thousands)", 3),
    "grad": Metric("Grad (thousands)", 3),
    "conn": Metric("Conn (thousands)", 3),
    "mse_unknown": Metric("MSE, unknown band"),
    "mad_unknown": Metric("MAD, unknown band"),
    "sad_unknown": Metric("SAD, unknown band (thousands)", 3),
    "grad_unknown": Metric("Grad, unknown band (thousands)", 3),
    "conn_unknown": Metric("Conn, unknown band (thousands)", 3),
    "iou": Metric("IoU at one half", 3, higher=True),
    "kept": Metric("kept: share with IoU ≥ .9", 3, higher=True),
    "lost": Metric("lost: share with IoU < .5", 3),
    "haze": Metric("haze: half-transparent share far from edges"),
    "psnr_hole": Metric("PSNR in the hole (dB)", 2, higher=True),
    "ssim_hole": Metric("SSIM in the hole", higher=True),
    "sharpness": Metric("sharpness in the hole (its finest octave's energy over that around)", 2, higher=True),
    "psnr": Metric("PSNR (dB)", 2, higher=True),
    "ssim": Metric("SSIM", higher=True),
    "effects_left": Metric("error left of shadows and reflections, share"),
    "lpips": Metric("LPIPS"),
    "features": Metric("distance of image features"),
    "soft_iou": Metric("soft IoU of alpha", higher=True),
    "foreground_l1": Metric("L1 of the foreground"),
    "background_l1": Metric("L1 of the background"),
    "hidden_l1": Metric("L1 of the background behind the object"),
    "ghost": Metric("share of the object that is left in the background at its edge", 3),
    "recomposition_l1": Metric("L1 of the layers put together"),
    "psnr_composite": Metric("PSNR over 9 backgrounds (dB)", 2, higher=True),
    "ssim_composite": Metric("SSIM over 9 backgrounds", higher=True),
    "l1_composite": Metric("L1 over 9 backgrounds"),
    "lpips_composite": Metric("LPIPS over 9 backgrounds"),
    "features_composite": Metric("distance of image features over 9 backgrounds"),
    "psnr_colour": Metric("PSNR of the colours, weighted by alpha (dB)", 2, higher=True),
    "psnr_alpha": Metric("PSNR of alpha (dB)", 2, higher=True),
    "mad_alpha": Metric("MAD of alpha"),
    "clip": Metric("CLIP score (2.5 · cosine)", higher=True),
    "nearest": Metric("distance to the nearest true picture (EfficientNet-Lite0)", 3),
    "own": Metric("share of other true pictures that are farther than its own (chance .5)", 3, higher=True),
    "fid": Metric("FID", 2),
    "right": Metric("share in which the named object has more alpha", 3, higher=True),
    "margin": Metric("mean alpha, named less other object", higher=True),
}

BY_SOURCE = ("iou", "kept", "lost", "mad", "haze")  # the metrics that are also given by the pictures' source
WORST_BY = ("iou", "haze")  # the metrics by which the page shows the worst


@dataclass(frozen=True)
class Figures:
    """Hold mean and median of one metric over `count` pictures."""

    mean: float
    median: float
    count: int


def summarise(rows: Sequence[Mapping[str, float]]) -> dict[str, Figures]:
    """Return each metric over the pictures that have it, in the order of the first that does."""
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: [row[name] for row in rows if name in row] for name in names}
    return {name: Figures(mean(values), median(values), len(values)) for name, values in columns.items()}


def badness(scores: Mapping[str, float], metric: str | None = None) -> float:
    """Return how bad a picture is by a metric, by default the first that it has: larger is worse."""
    name = metric or next(iter(scores))
    return -scores[name] if METRICS[name].higher else scores[name]
