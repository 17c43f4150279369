"""Tiny random weights in the published folder layout, written by diffusers and transformers themselves.

Tests import this for its names alone too, so both, which take seconds, are imported where they are used.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from torch import nn

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast, Qwen2_5_VLForConditionalGeneration

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>")
DIM = 32  # of the context

TRANSFORMER = {
    "patch_size": 2, "in_channels": 64, "out_channels": 16, "num_layers": 2, "attention_head_dim": 16,
    "num_attention_heads": 2, "joint_attention_dim": DIM, "axes_dims_rope": (4, 6, 6),
}  # fmt: skip
VAE = {"base_dim": 8, "z_dim": 16, "dim_mult": [1, 2, 2, 2], "num_res_blocks": 1}
SCHEDULER = {
    "base_image_seq_len": 256, "base_shift": 0.5, "max_image_seq_len": 8192, "max_shift": 0.9,
    "num_train_timesteps": 1000, "shift": 1.0, "shift_terminal": 0.02,
    "time_shift_type": "exponential", "use_dynamic_shifting": True,
}  # fmt: skip
PROCESSOR = {
    "min_pixels": 3136, "max_pixels": 12845056, "patch_size": 14, "temporal_patch_size": 2, "merge_size": 2,
    "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711],
    "image_processor_type": "Qwen2VLImageProcessor",
}  # fmt: skip
TEXT = {
    "hidden_size": DIM, "num_attention_heads": 2, "num_key_value_heads": 1, "intermediate_size": 48,
    "num_hidden_layers": 3, "vocab_size": 300, "max_position_embeddings": 4096,
    "bos_token_id": None, "eos_token_id": None,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0, "mrope_section": [2, 3, 3]},
}  # fmt: skip
VISION = {
    "depth": 3, "hidden_size": 32, "num_heads": 2, "intermediate_size": 40, "out_hidden_size": DIM, "patch_size": 14,
    "fullatt_block_indexes": [1], "window_size": 56,
}  # fmt: skip


def randomise(module: nn.Module, std: float = 0.15) -> None:
    """Biases, norms and all away from their defaults, or a swapped pair would pass."""
    with torch.no_grad():
        for name, p in module.named_parameters():
            p.add_(torch.randn(p.shape) * std) if "norm" in name or "gamma" in name else p.normal_(std=std)


def tokenizer() -> "PreTrainedTokenizerFast":
    """Bytes, and the special tokens."""
    from transformers import PreTrainedTokenizerFast

    letters = sorted(ByteLevel.alphabet())
    model = Tokenizer(BPE({letter: i for i, letter in enumerate(letters)}, []))
    model.pre_tokenizer, model.decoder = ByteLevel(add_prefix_space=False), ByteDecoder()
    model.add_special_tokens(list(SPECIAL))
    return PreTrainedTokenizerFast(tokenizer_object=model, pad_token=SPECIAL[0])


def text_encoder() -> "Qwen2_5_VLForConditionalGeneration":
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    ids = tokenizer().convert_tokens_to_ids
    places = {
        "image_token_id": ids("<|image_pad|>"),
        "vision_start_token_id": ids("<|vision_start|>"),
        "vision_end_token_id": ids("<|vision_end|>"),
        "video_token_id": 299,
    }
    return Qwen2_5_VLForConditionalGeneration(Qwen2_5_VLConfig(text_config=TEXT, vision_config=VISION, **places)).eval()


def lora_state(rank: int = 4) -> dict[str, torch.Tensor]:
    """The eight attention projections, with the keys of a published file."""
    dim = TRANSFORMER["attention_head_dim"] * TRANSFORMER["num_attention_heads"]
    projections = ("to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out")
    state = {}
    for block in range(TRANSFORMER["num_layers"]):
        for name in projections:
            layer = f"transformer.transformer_blocks.{block}.attn.{name}"
            state[f"{layer}.lora_A.weight"] = torch.randn(rank, dim) * 0.2
            state[f"{layer}.lora_B.weight"] = torch.randn(dim, rank) * 0.2
    return state


def write_published(folder: Path, channels: int = 4, lora: bool = True, seed: int = 0) -> dict[str, Any]:
    """Write a whole published folder; the reference modules it was written from, by the part's name."""
    from diffusers import AutoencoderKLQwenImage, FlowMatchEulerDiscreteScheduler, QwenImageTransformer2DModel

    torch.manual_seed(seed)
    parts: dict[str, Any] = {
        "transformer": QwenImageTransformer2DModel(**TRANSFORMER).eval(),
        "rgba_vae" if channels == 4 else "vae": AutoencoderKLQwenImage(**VAE, input_channels=channels).eval(),
        "text_encoder": text_encoder(),
        "scheduler": FlowMatchEulerDiscreteScheduler(**SCHEDULER),
        "tokenizer": tokenizer(),
    }
    for name, part in parts.items():
        if isinstance(part, nn.Module):
            randomise(part)
        part.save_pretrained(folder / name)
    (folder / "processor").mkdir()
    (folder / "processor" / "preprocessor_config.json").write_text(json.dumps(PROCESSOR))
    if lora:
        (folder / "lora").mkdir()
        save_file(lora_state(), folder / "lora" / "pytorch_lora_weights.safetensors")
    return parts
