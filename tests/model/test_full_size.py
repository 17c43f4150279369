"""The published configuration at its full size, on the meta device: names, shapes and numbers of parameters."""

import json
import math
from pathlib import Path

import pytest
import torch

from omnialpha_cli.model.config import TransformerConfig, VAEConfig
from omnialpha_cli.model.loading import load_into
from omnialpha_cli.model.lora import merge
from omnialpha_cli.model.published.qwen import published_name
from omnialpha_cli.model.transformer import Transformer
from omnialpha_cli.model.vae import AlphaVAE

pytestmark = pytest.mark.slow  # importing diffusers takes seconds

INDEX = json.loads((Path(__file__).parents[1] / "data" / "transformer_index.json").read_text())


@pytest.fixture(scope="module")
def transformer():
    with torch.device("meta"):
        return Transformer(TransformerConfig.from_dict(INDEX["config"]))


def test_the_transformer_has_the_names_shapes_and_parameters_of_the_index(transformer):
    expected = dict(INDEX["rest"])
    for i in range(INDEX["config"]["num_layers"]):
        expected |= {f"transformer_blocks.{i}.{name}": shape for name, shape in INDEX["block"].items()}
    assert {name: list(t.shape) for name, t in transformer.state_dict().items()} == expected
    assert len(expected) == INDEX["tensors"] == 1933
    assert sum(p.numel() for p in transformer.parameters()) == INDEX["parameters"] == 20_430_401_088
    assert INDEX["parameters"] == sum(map(math.prod, expected.values()))


def test_a_missing_block_is_a_list_of_its_tensors(transformer):
    with pytest.raises(ValueError, match=r"missing img_in.bias; .*and 1913 more"):
        load_into(transformer, [], "cpu", torch.bfloat16)


def test_the_lora_adapts_the_eight_projections_of_every_block(transformer):
    """754,974,720 parameters (facts §5): on the meta device `merge` checks names and shapes, and moves nothing."""
    projections = ("to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out")
    state = {}
    with torch.device("meta"):
        for i in range(60):
            for name in projections:
                layer = f"transformer.transformer_blocks.{i}.attn.{name}"
                state[f"{layer}.lora_A.weight"] = torch.empty(256, 3072)
                state[f"{layer}.lora_B.weight"] = torch.empty(3072, 256)
    assert sum(t.numel() for t in state.values()) == 754_974_720
    merge(transformer, state)


def test_the_vae_has_the_names_and_shapes_of_the_published_class():
    from diffusers import AutoencoderKLQwenImage

    with torch.device("meta"):
        theirs = AutoencoderKLQwenImage(input_channels=4).state_dict()
        ours = AlphaVAE.from_published(theirs, VAEConfig())
    assert set(ours.state_dict()) == {name for name in theirs if ".time_conv." not in name}
    assert sum(".time_conv." in name for name in theirs) == 8


def test_the_text_encoder_is_as_large_as_the_published_files():
    """16.6 GB in bfloat16 (facts §5), the head that is left out among them; every other key has a place."""
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    text = {
        "hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28, "num_attention_heads": 28,
        "num_key_value_heads": 4, "vocab_size": 152064, "tie_word_embeddings": False,
    }  # fmt: skip
    vision = {
        "depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16, "out_hidden_size": 3584,
        "fullatt_block_indexes": [7, 15, 23, 31],
    }  # fmt: skip
    with torch.device("meta"):
        reference = Qwen2_5_VLForConditionalGeneration(Qwen2_5_VLConfig(text_config=text, vision_config=vision))
    assert round(2 * sum(p.numel() for p in reference.parameters()) / 1e9, 1) == 16.6
    names = {published_name(name) for name in reference.state_dict()} - {None}
    assert names == set(reference.model.state_dict())
