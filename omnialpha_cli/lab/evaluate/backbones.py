"""Load networks of others that measures are defined by. Each is optional, and none is ever downloaded from here.

    LPIPS    the package `lpips`, on AlexNet's features         alexnet-owt-7be5be79.pth
             and, as a loss of trainings, on VGG16's            vgg16-397923af.pth
    FID      the package `torch-fidelity`, Inception of 2015    weights-inception-2015-12-05-6726825d.pth
    CLIP     the package `transformers`                         a folder, or a name in the hub's cache

A missing package is a UsageError, missing weights are a WeightsError; both say in one line how to get them.
"""

import hashlib
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from ...status import UsageError, WeightsError

Array = NDArray[Any]

TRUNKS = {
    "alex": "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
    "vgg": "https://download.pytorch.org/models/vgg16-397923af.pth",
}
INCEPTION = (
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth"
)
CLIP = "openai/clip-vit-base-patch32"
CLIP_WEIGHT = 2.5  # w of Hessel et al.
CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def lpips_network(trunk: Literal["alex", "vgg"], device: torch.device) -> torch.nn.Module:
    """Load LPIPS 0.1: RGB (B, 3, H, W) in [−1, 1], twice → (B, 1, 1, 1), with gradients to the pictures alone.

    The package brings the weights fitted to people's judgement; those of the trunk are in torch's cache. Raises
    UsageError and WeightsError.
    """
    package = _package("lpips", "LPIPS")
    state = read_state(cached(TRUNKS[trunk], "LPIPS"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the old way in which it builds the trunk
        network = package.LPIPS(net=trunk, pnet_rand=True, verbose=False)
    for name, parameter in network.net.named_parameters():  # `slice2.3.weight` is `features.3.weight`
        parameter.data = state[f"features.{name.split('.', 1)[1]}"]
    frozen: torch.nn.Module = network.to(device).eval().requires_grad_(False)
    return frozen


class LPIPS:
    """Compare two pictures by LPIPS: Zhang et al., "The Unreasonable Effectiveness of Deep Features …" (CVPR 2018).

    Version 0.1 on AlexNet, the package's own default and the one that papers report.
    """

    metric = "lpips"

    def __init__(self, network: torch.nn.Module, device: torch.device):
        self.network, self.device = network.to(device).eval(), device

    @classmethod
    def load(cls, device: torch.device) -> Self:
        """Load it with the weights that `lpips_network` finds."""
        return cls(lpips_network("alex", device), device)

    @torch.inference_mode()
    def __call__(self, a: Array, b: Array) -> float:
        """Return the distance of two pictures (H, W, 3) in [0, 1]: 0 if equal."""
        return float(self.network(*(_tensor(image[None], self.device) * 2 - 1 for image in (a, b))))


class Inception:
    """Compute the features of FID by the network converted from the original one, which scales pictures to 299²."""

    metric = "fid"

    def __init__(self, network: torch.nn.Module, device: torch.device):
        self.network, self.device = network.to(device).eval(), device

    @classmethod
    def load(cls, device: torch.device) -> Self:
        """Load it with the weights from torch's cache."""
        package = _package("torch_fidelity", "FID")
        path = cached(INCEPTION, "FID")
        read_state(path)  # the package would also run code that a file holds: one that only holds tensors has none
        return cls(package.FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], str(path)), device)

    @torch.inference_mode()
    def __call__(self, pictures: Array) -> Array:
        """Return pictures (K, H, W, 3) in [0, 1] → features (K, 2048), float32. The network sees 8 bits."""
        pixels = _tensor(pictures, self.device).mul(255).round().clamp(0, 255).byte()
        (features,) = self.network(pixels)
        return np.asarray(features.float().cpu().numpy())


class Clip:
    """Score how well a picture goes with its words: Hessel et al., "CLIPScore" (EMNLP 2021), 2.5 · max(cos, 0)."""

    metric = "clip"

    def __init__(self, network: Any, tokenizer: Any, device: torch.device):
        self.network, self.tokenizer, self.device = network.to(device).eval(), tokenizer, device

    @classmethod
    def load(cls, name_or_folder: str, device: torch.device) -> Self:
        """Return a CLIP model as `transformers` writes them. Without the network: nothing is fetched."""
        transformers = _package("transformers", "the CLIP score")
        try:
            network = transformers.CLIPModel.from_pretrained(name_or_folder, local_files_only=True)
            tokenizer = transformers.AutoTokenizer.from_pretrained(name_or_folder, local_files_only=True)
        except Exception as error:  # of many kinds
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            found = f"which does not load: {reason}"
            if not Path(name_or_folder).is_dir():
                found = f"which is not here; get it with: hf download {name_or_folder}"
            raise WeightsError(f"the CLIP score needs the model {name_or_folder}, {found}") from error
        return cls(network, tokenizer, device)

    @torch.inference_mode()
    def __call__(self, pictures: Array, words: str) -> float:
        """Return the mean score of pictures (K, H, W, 3) in [0, 1], one text for all."""
        longest = self.network.config.text_config.max_position_embeddings
        tokens = self.tokenizer([words], truncation=True, max_length=longest, return_tensors="pt").to(self.device)
        pixels = self.preprocess(_tensor(pictures, self.device))
        found = self.network(
            input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"], pixel_values=pixels
        )
        image = F.normalize(found.image_embeds.float(), dim=-1)  # (K, D)
        text = F.normalize(found.text_embeds.float(), dim=-1)  # (1, D)
        return float(CLIP_WEIGHT * (image @ text.T).clamp(min=0).mean())

    def preprocess(self, pictures: Tensor) -> Tensor:
        """Prepare (K, 3, H, W) in [0, 1] as CLIP was trained: the short side scaled, the middle cut out, normalised."""
        side = self.network.config.vision_config.image_size
        height, width = pictures.shape[2:]
        short = min(height, width)
        size = (side * height // short, side * width // short)
        scaled = F.interpolate(pictures, size, mode="bicubic", antialias=True).clamp(0, 1)
        top, left = (size[0] - side) // 2, (size[1] - side) // 2
        mean, std = (torch.tensor(values, device=pictures.device).view(3, 1, 1) for values in (CLIP_MEAN, CLIP_STD))
        return (scaled[..., top : top + side, left : left + side] - mean) / std


def cached(url: str, what: str) -> Path:
    """Tell where torch keeps a download, whose name ends with the first 8 digits of its sha256. Raises WeightsError."""
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    if not path.is_file():
        raise WeightsError(f"{what} needs {path}; get it with: curl -L --create-dirs -o '{path}' {url}")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if not digest.startswith(path.stem.rpartition("-")[2]):
        raise WeightsError(f"{path} is damaged, or another file: its sha256 is {digest}; delete it, and get it again")
    return path


def read_state(path: Path) -> dict[str, Tensor]:
    """Return the tensors in a file that torch saved; no code in it is run. Raises WeightsError."""
    try:
        return dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # a pickle may fail in any way
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise WeightsError(f"{path} does not hold tensors alone: {reason}") from error


def _package(name: str, what: str) -> Any:
    try:
        return import_module(name)
    except (ImportError, RuntimeError) as error:  # RuntimeError: a torchvision that was built for another torch
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise UsageError(
            f'{what} needs {name.replace("_", "-")} ({reason}); get it with: pip install "omnialpha[judge]"'
        ) from error


def _tensor(pictures: Array, device: torch.device) -> Tensor:
    """Convert (K, H, W, 3) to (K, 3, H, W)."""
    return torch.from_numpy(np.array(pictures, np.float32)).to(device).permute(0, 3, 1, 2)
