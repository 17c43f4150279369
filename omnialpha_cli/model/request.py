"""Describe what is asked of the model, and how many requests go through together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from torch import Tensor
from torch.nn import functional as F

from .positions import Layout

PATCH = 16  # pixels a side of a transformer patch: stride 8 of the VAE, patches of 2
MULTIPLE = 32  # of the sides of inputs for the embedded context


@dataclass(frozen=True)
class Request:
    """Hold one item: `inputs` are RGBA (4, H, W) in [0, 1], straight, sRGB-encoded.

    `targets` are the (H, W) in pixels of the images to make. Sides are multiples of 16, those of inputs of 32 for the
    embedded context. `inpaint_mask` (H, W), of bools, is where the first input was filled, and the one target is to
    differ. `task` is the name of its row in the table of tasks, which says what serves it. Guidance leads away from the
    `negative` prompt.
    """

    prompt: str
    inputs: tuple[Tensor, ...]
    targets: tuple[tuple[int, int], ...]
    seed: int = 0
    inpaint_mask: Tensor | None = None
    task: str = ""
    negative: str = ""

    def mirrored(self, scale: float = 1.0) -> "Request":
        """Return the request of the mirror images, opaque ones, on canvases of about `scale` times the sides."""
        targets = tuple(_scaled(size, scale) for size in self.targets)
        sizes = (_scaled((image.shape[-2], image.shape[-1]), scale) for image in self.inputs)
        images = (resized(image, size).flip(-1) for image, size in zip(self.inputs, sizes, strict=True))
        return replace(self, inputs=tuple(images), targets=targets, inpaint_mask=None)

    @property
    def layout(self) -> Layout:
        """Return the sizes in patches."""
        return Layout(
            tuple((h // PATCH, w // PATCH) for h, w in self.targets),
            tuple((i.shape[-2] // PATCH, i.shape[-1] // PATCH) for i in self.inputs),
        )


class Layers(list[Tensor]):
    """Hold the layers (4, H, W) of one request, and the chance that a person would keep their matte, if known."""

    def __init__(self, layers: Iterable[Tensor], confidence: float | None = None):
        super().__init__(layers)
        self.confidence = confidence


def _scaled(size: tuple[int, int], scale: float) -> tuple[int, int]:
    h, w = (max(1, round(n * scale / MULTIPLE)) * MULTIPLE if scale != 1 else n for n in size)
    return h, w


def resized(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Return an image (C, H, W) at `size` (h, w)."""
    if image.shape[-2:] == size:
        return image
    return F.interpolate(image[None], size, mode="bilinear", antialias=True)[0]


def over_white(rgba: Tensor) -> Tensor:
    """Flatten RGBA (4, H, W) on white to RGB (3, H, W), as the published context encoder does its inputs."""
    return rgba[:3] * rgba[3:] + (1 - rgba[3:])


def by_layout(requests: Sequence[Request], batch_size: int | None) -> list[list[int]]:
    """Return batches of one layout each, as places among `requests`; of any size without `batch_size`."""
    groups: dict[Layout, list[int]] = {}
    for i, request in enumerate(requests):
        groups.setdefault(request.layout, []).append(i)
    size = batch_size or len(requests)
    return [group[i : i + size] for group in groups.values() for i in range(0, len(group), size)]


def mean_of_mirrored(plain: Sequence[Sequence[Tensor]], mirrored: Sequence[Sequence[Tensor]]) -> list[list[Tensor]]:
    """Average results (4, H, W) with those of their mirror images, perhaps smaller, turned round."""
    pairs = zip(plain, mirrored, strict=True)
    return [
        [(a + resized(b, (a.shape[1], a.shape[2])).flip(-1)) / 2 for a, b in zip(one, other, strict=True)]
        for one, other in pairs
    ]
