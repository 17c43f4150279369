"""Sample in few steps by a distillation LoRA of the Lightning kind: what such a file asks for beside its weights.

Those LoRAs (Qwen-Image-Lightning) were distilled for 4 or 8 steps without guidance on a schedule with a constant shift
of 3 and no terminal sigma. The files hold the weights alone; the number of steps is in their names. No torch:
planning needs this too.
"""

import math
import re
from pathlib import Path
from typing import Any

SCHEDULE: dict[str, Any] = {"base_shift": math.log(3), "max_shift": math.log(3), "shift_terminal": None}
STEPS = 8  # where the name does not say


def defaults(path: Path) -> dict[str, Any]:
    """Steps, from a name such as `…-4steps-….safetensors`, and guidance."""
    named = re.search(r"(\d+)[-_ ]?steps?", path.name, re.IGNORECASE)
    return {"steps": int(named[1]) if named and int(named[1]) > 0 else STEPS, "guidance": 1.0}
