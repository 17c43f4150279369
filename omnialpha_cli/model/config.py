"""Hold what makes and loads a model: its networks, what weights work best with, how they are loaded, their folder.

No torch: planning needs it too.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, Self

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")  # may run code as they are read: never loaded nor downloaded
# Variants of the published transformer that this code does not model: ignoring a true one would be wrong output.
_UNMODELLED = ("guidance_embeds", "use_layer3d_rope", "use_additional_t_cond")

# Per-channel statistics of the published latents, of the RGB VAE and of the RGBA one.
LATENTS_MEAN = (-0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508,
                0.4134, -0.0715, 0.5517, -0.3632, -0.1922, -0.9497, 0.2503, -0.2921)  # fmt: skip
LATENTS_STD = (2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743,
               3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253, 2.8251, 1.9160)  # fmt: skip


class FromDict:
    """Read a dataclass from a JSON object: `_private` and `ignored` keys are skipped, other unknown keys refused."""

    _skipped: tuple[str, ...] = ()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Raise ValueError on a key that is neither a field nor known to be without effect."""
        known = {f.name for f in fields(cls)}  # type: ignore[arg-type]
        unknown = sorted(k for k in values if k not in known and k not in cls._skipped and not k.startswith("_"))
        if unknown:
            raise ValueError(f"{cls.__name__}: unknown keys {', '.join(unknown)}")
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items() if k in known})


@dataclass(frozen=True)
class TransformerConfig(FromDict):
    """Configure the dual-stream transformer; the defaults are Qwen-Image-Edit-2509 (20.4 B parameters).

    `in_channels` is `out_channels · patch_size²`, `axes_dims_rope` sums to `attention_head_dim`. `rope_canvas` (in
    patches, None in the published weights) scales y and x so that a canvas of any size spans about that many units.
    `timestep_rounding` rounds the timestep to the latents' dtype, as the published pipeline and training do.
    `zero_cond_t` (Qwen-Image-Edit-2511) gives the inputs a sigma of 0 instead of the targets'.
    """

    patch_size: int = 2
    in_channels: int = 64
    out_channels: int = 16
    num_layers: int = 60
    attention_head_dim: int = 128
    num_attention_heads: int = 24
    joint_attention_dim: int = 3584
    axes_dims_rope: tuple[int, int, int] = (16, 56, 56)
    rope_canvas: int | None = None
    timestep_rounding: bool = False
    zero_cond_t: bool = False

    _skipped = ("pooled_projection_dim", *_UNMODELLED)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read a published or embedded `config.json`; a variant that would change the output raises ValueError."""
        on = [k for k in _UNMODELLED if values.get(k)]
        if on:
            raise ValueError(f"these weights need {', '.join(on)}, which this transformer does not model")
        return super().from_dict(values)

    @property
    def inner_dim(self) -> int:
        """Return the width of both streams."""
        return self.num_attention_heads * self.attention_head_dim


@dataclass(frozen=True)
class VAEConfig(FromDict):
    """Configure the alpha-aware VAE; the defaults are published but for `input_channels` (3 before conversion)."""

    base_dim: int = 96
    z_dim: int = 16
    dim_mult: tuple[int, ...] = (1, 2, 4, 4)
    num_res_blocks: int = 2
    input_channels: int = 4
    latents_mean: tuple[float, ...] = LATENTS_MEAN
    latents_std: tuple[float, ...] = LATENTS_STD

    # attn_scales is empty and dropout 0 in every published file; the temporal down-sampling has no effect on one frame.
    # in_channels and out_channels are how the published class of four channels says so: the tensors say it too.
    _skipped = (
        "attn_scales", "dropout", "temperal_downsample", "is_residual", "clip_output", "in_channels", "out_channels"
    )  # fmt: skip


@dataclass(frozen=True)
class Defaults(FromDict):
    """Hold what the weights work best with.

    `canvas` is the side in pixels of the square that has the canvas's area, whose sides are multiples of
    `multiple`; `commands` has what differs for one command or task. With `mirror` a request that has inputs is also
    run on their mirror images, of about `mirror_scale` times the sides, and the results averaged: twice the work
    for a seventh less error in the embedded weights' mattes. With `fill` a removal with a mask starts from its
    scene with the object painted over. With `square` what is made from words alone is drawn on a square, and lies
    in the middle of other shapes. With `enlarge` smaller pictures are enlarged to the canvas. With `shared` the
    canvas's area is that of all images of a request together. `dtype` is the number type the weights are meant to
    run in.
    """

    steps: int = 50
    guidance: float = 4.0
    canvas: int = 1024
    multiple: int = 32
    mirror: bool = False
    mirror_scale: float = 1.0
    fill: bool = False
    square: bool = False
    enlarge: bool = True
    shared: bool = False
    dtype: str = "float32"
    commands: Mapping[str, Mapping[str, float | bool]] = field(default_factory=dict)

    def of(self, task: str) -> "Defaults":
        """Return the defaults of one task."""
        return replace(self, **by_task(self.commands, task))


def by_task(table: Mapping[str, Mapping[str, Any]], task: str) -> dict[str, Any]:
    """Return the settings of a task in a table by commands and tasks: its command's, that before `/`, its own."""
    plain, _, layers = task.partition("/")
    command = plain.partition(".")[0]
    return {**table.get(command, {}), **table.get(plain, {}), **(table.get(task, {}) if layers else {})}


Memory = Literal["auto", "resident", "stream", "cpu"]
Quantize = Literal["none", "int8", "int4", "fp8"]


@dataclass(frozen=True)
class LoadOptions:
    """Choose what is done to weights while they are loaded; `loras` are files with their strengths.

    With `merge_loras` they become part of the weights before these are quantised, which costs nothing and fits
    every way of streaming; else they stay beside them, for whoever changes or trains them. `distilled_lora` is one
    for few steps, with its schedule. `memory` and `quantize` are explained in the modules of these names;
    `compile_blocks` compiles the transformer's blocks.
    """

    loras: Sequence[tuple[Path, float]] = ()
    merge_loras: bool = True
    distilled_lora: Path | None = None
    memory: Memory = "auto"
    quantize: Quantize = "none"
    compile_blocks: bool = False

    @property
    def adapters(self) -> list[tuple[Path, float]]:
        """Return all LoRAs with their strengths, the distilled one last."""
        return [*self.loras, *([(self.distilled_lora, 1.0)] if self.distilled_lora else [])]


# LoRAs of the Lightning kind (Qwen-Image-Lightning) were distilled for 4 or 8 steps without guidance on a schedule with
# a constant shift of 3 and no terminal sigma. The files hold the weights alone; the number of steps is in their names.
DISTILLED_SCHEDULE: dict[str, Any] = {"base_shift": math.log(3), "max_shift": math.log(3), "shift_terminal": None}
DISTILLED_STEPS = 8  # where the name does not say


def distilled_defaults(path: Path) -> dict[str, Any]:
    """Return steps, from a name such as `…-4steps-….safetensors`, and guidance of a distilled LoRA."""
    named = re.search(r"(\d+)[-_ ]?steps?", path.name, re.IGNORECASE)
    return {"steps": int(named[1]) if named and int(named[1]) > 0 else DISTILLED_STEPS, "guidance": 1.0}


# The published layout: a folder a part.
TRANSFORMER = "transformer"
VAES = ("rgba_vae", "vae")  # OmniAlpha's of four channels, or the base's of three
LORAS = ("lora", "rgba_lora")  # so in the README of the weights, and so in their authors' inference script
PUBLISHED_CONFIG = Path(__file__).parent / "published" / "published.json"


def is_published(folder: Path) -> bool:
    """Return whether a folder is in the published layout."""
    return (folder / TRANSFORMER).is_dir()


def read_config(folder: Path) -> dict[str, Any]:
    """Read tasks and defaults of the weights in a folder of either layout. Raises OSError or ValueError."""
    path = folder / "config.json"
    if not path.is_file() and is_published(folder):
        path = PUBLISHED_CONFIG
    return dict(json.loads(path.read_text(encoding="utf-8")))


def vae_folder(folder: Path) -> Path:
    """Return where the VAE is, or belongs."""
    return next((folder / name for name in VAES if (folder / name).is_dir()), folder / VAES[0])


def lora_folder(folder: Path) -> Path | None:
    """Return where the LoRA is, None if there is none. Raises ValueError if it is there under both names."""
    found = [folder / name for name in LORAS if (folder / name).is_dir()]
    if len(found) > 1:
        raise ValueError(f"{folder} holds both {LORAS[0]}/ and {LORAS[1]}/; move one of them away")
    return found[0] if found else None


def base_alone(folder: Path) -> bool:
    """Return whether OmniAlpha's VAE is beside a base without its LoRA, which then answers as the base model."""
    return is_published(folder) and (folder / VAES[0]).is_dir() and not any((folder / n).is_dir() for n in LORAS)


def one_target(folder: Path) -> bool:
    """Return whether the transformer makes one image at a time: `zero_cond_t` (Qwen-Image-Edit-2511) knows no more."""
    with suppress(OSError, ValueError, AttributeError):  # loading says what is wrong with it
        return bool(json.loads((folder / TRANSFORMER / "config.json").read_bytes()).get("zero_cond_t"))
    return False
