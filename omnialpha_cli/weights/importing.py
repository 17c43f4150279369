"""Import weights that are on this machine already, without copying: a weights folder of links to the files.

Taken are folders in the published layout (a snapshot of the hub's cache too), whole or some of their parts, the folder
of one part by itself, and single safetensors files as ComfyUI keeps them. The latter two are recognised by their keys.
"""

import fnmatch
from pathlib import Path

from safetensors import SafetensorError, safe_open

from ..model.config import PICKLES, lora_folder
from ..status import UsageError, WeightsError
from .hub import DOCUMENTS, NEEDED_TEXT
from .lock import LockedWeights

PARTS = ("transformer", "text_encoder", "tokenizer", "processor", "scheduler", "rgba_vae", "lora")
_COMFYUI = "model.diffusion_model."

# The keys (patterns) that only the files of a part have.
_MARKS = {
    "lora": ("*.lora_*",),
    "transformer": ("transformer_blocks.0.attn.add_q_proj.weight",),
    "text_encoder": ("*visual.patch_embed.proj.weight",),
    "rgba_vae": ("encoder.conv_in.weight", "decoder.conv_out.weight"),
}
_FILE_NAMES = {"lora": "pytorch_lora_weights", "text_encoder": "model"}


def link(source: Path, folder: Path) -> list[str]:
    """Link the files of `source` into the weights folder `folder`; returns the parts that were found.

    A part that was linked before is replaced. Raises UsageError or WeightsError.
    """
    if source.is_file():
        part = recognise(source)
        name = f"{_FILE_NAMES.get(part, 'diffusion_pytorch_model')}.safetensors"
        _clear(folder / part, keep_others=True)
        _link(source, folder / part / name)
        return [part]
    parts = _parts(source)
    for part, place in parts.items():
        files = _files(place)  # before anything is removed
        _clear(folder / part)
        for file in files:
            _link(file, folder / part / file.relative_to(place))
    return list(parts)


def _parts(source: Path) -> dict[str, Path]:
    """Return the folders of the parts in `source`, or the one that it is itself. Raises UsageError if there is none."""
    found = {part: source / part for part in PARTS if (source / part).is_dir()}
    try:
        found |= {"lora": place} if (place := lora_folder(source)) else {}
    except ValueError as error:
        raise UsageError(str(error)) from error
    if not found and (tensors := sorted(source.glob("*.safetensors"))):
        found = {recognise(tensors[0]): source}
    if not found:
        raise UsageError(f"{source} holds none of the folders {', '.join(PARTS)}, and no safetensors file")
    return found


def missing_parts(folder: Path, locked: LockedWeights) -> list[str]:
    """List files that the lock names and the folder lacks, and parts without tensors."""
    missing = [file.path for file in locked.files if not (folder / file.path).is_file()]
    tensors = [f"{part}/*.safetensors" for part in ("transformer", "text_encoder", "rgba_vae")]
    return missing + [pattern for pattern in tensors if not any(folder.glob(pattern))]


def recognise(file: Path) -> str:
    """Tell which part a single safetensors file is, by its header. Raises UsageError or WeightsError."""
    if file.suffix in PICKLES:
        raise UsageError(f"{file} is a pickle, which may run code as it is read; only safetensors are taken")
    shapes = _header(file)
    keys = {key.removeprefix(_COMFYUI) for key in shapes}
    if any(key.endswith(("scale_weight", "scaled_fp8", "weight_scale")) for key in keys):
        raise UsageError(f"{file} holds scaled 8-bit weights, which are not supported; take the bfloat16 file")
    part = next((part for part, marks in _MARKS.items() if all(fnmatch.filter(keys, mark) for mark in marks)), None)
    if part is None:
        raise UsageError(f"{file} is no part of these weights: its keys are those of another model")
    if part == "rgba_vae" and shapes["encoder.conv_in.weight"][1:2] != [4]:
        raise UsageError(f"{file} is a VAE without alpha; the one of OmniAlpha has four channels")
    return part


def _header(file: Path) -> dict[str, list[int]]:
    try:
        with safe_open(file, framework="numpy") as opened:
            return {key: list(opened.get_slice(key).get_shape()) for key in opened.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{file} is no safetensors file ({error})") from error


def _files(folder: Path) -> list[Path]:
    """Return what of a part is taken. A pickle without safetensors beside it is refused; beside them it is left out."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith(".")]
    pickles = [path for path in files if path.suffix in PICKLES]
    tensors = [path for path in files if path.suffix == ".safetensors"]
    if pickles and not tensors:
        raise UsageError(f"{pickles[0]} is a pickle, which may run code as it is read; only safetensors are taken")
    for path in tensors:
        _header(path)
    documents = [path for path in files if path.suffix in DOCUMENTS and path.name not in NEEDED_TEXT]
    return [path for path in files if path not in pickles and path not in documents]


def _clear(folder: Path, keep_others: bool = False) -> None:
    """Remove the links of an earlier import; with `keep_others` those to tensors alone. Real files are not touched."""
    for path in sorted(folder.rglob("*")):
        if keep_others and not path.name.endswith((".safetensors", ".safetensors.index.json")):
            continue
        if path.is_symlink():
            path.unlink()
        elif path.is_file():
            raise UsageError(f"{path} is there already; remove it first (omnialpha weights remove)")


def _link(source: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        place.symlink_to(source.resolve())
    except OSError as error:
        raise WeightsError(f"cannot link {place} to {source}: {error.strerror}") from error
