"""Load a model by the name of its weights, and tell what goes wrong as a fault of the run."""

from collections.abc import Callable
from pathlib import Path

import torch

from ..memory import free_memory
from ..model.config import LoadOptions
from ..model.omnialpha import OmniAlpha
from ..status import DeviceError, UsageError, WeightsError
from ..weights import store


def load_model(
    name_or_folder: str | Path, device: str | torch.device, dtype: torch.dtype | None, options: LoadOptions
) -> OmniAlpha:
    """Load weights by a name in weights.lock, whose files are verified first, or from a folder.

    Raises WeightsError or DeviceError.
    """
    weights = store.find(str(name_or_folder))
    weights.verify()
    place = choose_device(str(device))
    if options.compile_blocks:  # otherwise every item would fail by itself
        check_compiler(place)
    if place.type == "cpu" and options.quantize == "none":
        _weigh(weights)
    try:
        return OmniAlpha.load(weights.folder, place, dtype, options)
    except Exception as error:  # each file format has its own
        if is_out_of_memory(error):
            raise DeviceError(f"weights {weights.name} do not fit into the memory of {place}") from error
        raise WeightsError(f"weights {weights.name} in {weights.folder} do not load: {error}") from error


def _weigh(weights: store.Weights) -> None:
    """Raise DeviceError where the files of weights are larger than the memory that may be taken."""
    size, free = sum(f.stat().st_size for f in weights.folder.rglob("*.safetensors") if f.is_file()), free_memory()
    if free is not None and size > free:
        sizes = f"{size / 1e9:.1f} GB of memory, of which {free / 1e9:.1f} GB are free"
        remedy = "end other programs, or give --device, --quantize or smaller weights"
        raise DeviceError(f"weights {weights.name} take {sizes}: {remedy}")


AVAILABLE: dict[str, Callable[[], bool]] = {
    "cuda": torch.cuda.is_available,
    "mps": torch.backends.mps.is_available,
    "cpu": lambda: True,
}
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def choose_device(name: str = "auto") -> torch.device:
    """Return the device of a name such as `cpu`, `cuda:1` or `mps`; `auto` is the first that is there, CPU last."""
    if name == "auto":
        return torch.device(next(kind for kind, available in AVAILABLE.items() if available()))
    try:
        device = torch.device(name)
    except RuntimeError:
        raise DeviceError(f"no device is called {name}; try auto, cpu, cuda, cuda:1 or mps") from None
    if not AVAILABLE.get(device.type, lambda: False)():
        there = ", ".join(kind for kind, available in AVAILABLE.items() if available())
        raise DeviceError(f"device {name} is not available to torch {torch.__version__}; available: {there}")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise DeviceError(f"device {name} does not exist; there are {torch.cuda.device_count()} CUDA devices, from 0")
    return device


def list_devices(text: str) -> list[str]:
    """Return a name for every worker of `--devices`: `all`, or a list such as `0,1`, `cuda:0,cpu` or `cpu:2` (two).

    Raises UsageError or DeviceError.
    """
    if text == "all":
        kind = choose_device().type
        return [f"cuda:{i}" for i in range(torch.cuda.device_count())] if kind == "cuda" else [kind]
    names: list[str] = []
    for part in text.split(","):
        kind, _, number = part.strip().partition(":")
        if kind.isdecimal() and not number:
            names.append(f"cuda:{kind}")
        elif kind == "cpu" and number:
            if not number.isdecimal() or int(number) < 1:
                raise UsageError(f"--devices {text}: cpu:N is N workers on the CPU, from 1")
            names += ["cpu"] * int(number)
        else:
            names.append(part.strip())
    for name in names:
        choose_device(name)
    if twice := next((name for name in names if name != "cpu" and names.count(name) > 1), None):
        raise UsageError(f"--devices {text}: {twice} is there twice; one worker fills it")
    return names


def check_compiler(device: torch.device) -> None:
    """Raise DeviceError where torch cannot compile for a device, for want of a compiler or of Triton."""
    try:
        torch.compile(lambda x: x * 2)(torch.zeros(16, device=device))
    except Exception as error:  # of whichever compiler it is
        why = str(error).strip().split("\n")[0]
        raise DeviceError(f"torch cannot compile for {device} on this machine: {why}; leave --compile out") from error


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an exception says that the device, or the machine, has no memory left."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    # The CPU allocator and MPS raise a plain RuntimeError, and a file that cannot be mapped an OSError.
    message = str(error).lower() if isinstance(error, (RuntimeError, OSError)) else ""
    return any(words in message for words in ("can't allocate memory", "cannot allocate memory", "out of memory"))


def release_cached_memory() -> None:
    """Give memory that torch keeps for reuse back to the device."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    elif torch.backends.mps.is_available():
        torch.mps.empty_cache()


def describe_devices() -> list[tuple[str, str]]:
    """Return name and description of every device that torch can use."""
    found = []
    for i in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        properties = torch.cuda.get_device_properties(i)
        found.append((f"cuda:{i}", f"{properties.name}, {properties.total_memory / 2**30:.1f} GiB"))
    if torch.backends.mps.is_available():
        found.append(("mps", "Apple GPU"))
    return [*found, ("cpu", torch.backends.cpu.get_cpu_capability())]
