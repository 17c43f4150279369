"""Writes the names and shapes of the published transformer, from its configuration and diffusers' class.

    python tests/data/make_transformer_index.py > tests/data/transformer_index.json

Sixty blocks are alike, so one is written down.
"""

import json
import re
import sys

import torch
from diffusers import QwenImageTransformer2DModel

CONFIG = {
    "attention_head_dim": 128, "axes_dims_rope": [16, 56, 56], "guidance_embeds": False, "in_channels": 64,
    "joint_attention_dim": 3584, "num_attention_heads": 24, "num_layers": 60, "out_channels": 16, "patch_size": 2,
}  # fmt: skip


def main() -> None:
    with torch.device("meta"):
        state = QwenImageTransformer2DModel(**CONFIG).state_dict()
    shapes = {name: list(tensor.shape) for name, tensor in state.items()}
    first = re.compile(r"transformer_blocks\.0\.")
    index = {
        "config": CONFIG,
        "parameters": sum(tensor.numel() for tensor in state.values()),
        "tensors": len(shapes),
        "block": {first.sub("", n): s for n, s in shapes.items() if first.match(n)},
        "rest": {n: s for n, s in shapes.items() if not n.startswith("transformer_blocks.")},
    }
    text = json.dumps(index, indent=1)
    sys.stdout.write(re.sub(r"\[\s+([\d,\s]+?)\s+\]", lambda m: "[" + " ".join(m[1].split()) + "]", text) + "\n")


if __name__ == "__main__":
    main()
