"""Name the folders of the published layout, and those that are missing. No torch: planning needs it too."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

TRANSFORMER = "transformer"
VAES = ("rgba_vae", "vae")  # OmniAlpha's of four channels, or the base's of three
LORAS = ("lora", "rgba_lora")  # so in the README of the weights, and so in their authors' inference script


def is_published(folder: Path) -> bool:
    """Return whether a folder is in the published layout."""
    return (folder / TRANSFORMER).is_dir()


def read_config(folder: Path) -> dict[str, Any]:
    """Read tasks and defaults of the weights in a folder of either layout. Raises OSError or ValueError."""
    path = folder / "config.json"
    if not path.is_file() and is_published(folder):
        path = Path(__file__).with_name("published.json")
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
