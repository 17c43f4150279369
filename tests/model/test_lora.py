"""LoRA adapters on the transformer against diffusers' own loading of the same adapters."""

import json

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from omnialpha_cli.model import lora
from omnialpha_cli.model.positions import Layout
from omnialpha_cli.model.transformer import Transformer, TransformerConfig

pytestmark = pytest.mark.slow  # importing diffusers takes seconds

CONFIG = {
    "patch_size": 2,
    "in_channels": 16,
    "out_channels": 4,
    "num_layers": 2,
    "attention_head_dim": 16,
    "num_attention_heads": 2,
    "joint_attention_dim": 12,
    "axes_dims_rope": [4, 6, 6],
}
LAYOUT = Layout(targets=[(4, 4)], inputs=[(4, 4)])
ATTENTION = ("to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out")
LAYERS = [f"transformer_blocks.{i}.attn.{name}" for i in range(2) for name in ATTENTION]


@pytest.fixture(scope="module")
def reference():
    diffusers = pytest.importorskip("diffusers")
    pytest.importorskip("peft")
    torch.manual_seed(0)
    return diffusers.QwenImageTransformer2DModel(**CONFIG).eval().requires_grad_(False)


@pytest.fixture
def model(reference):
    ours = Transformer(TransformerConfig.from_dict(CONFIG)).eval().requires_grad_(False)
    ours.load_state_dict({name.replace(".base_layer", ""): p for name, p in reference.state_dict().items()
                          if ".lora_" not in name})  # fmt: skip
    return ours


def adapter(seed: int, rank: int = 3, prefix: str = "transformer.", names: tuple[str, str] = ("lora_A", "lora_B")):
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for layer in LAYERS:
        state[f"{prefix}{layer}.{names[0]}.weight"] = torch.randn(rank, 32, generator=generator) * 0.2
        state[f"{prefix}{layer}.{names[1]}.weight"] = torch.randn(32, rank, generator=generator) * 0.2
    return state


def request_tensors():
    generator = torch.Generator().manual_seed(5)
    tokens = torch.randn(1, LAYOUT.num_tokens, 16, generator=generator)
    return tokens, torch.randn(1, 7, 12, generator=generator), torch.tensor([0.6])


def run(model: Transformer):
    tokens, context, sigma = request_tensors()
    return model(tokens, context, sigma, LAYOUT)


def run_reference(reference):
    tokens, context, sigma = request_tensors()
    return reference(
        hidden_states=tokens,
        encoder_hidden_states=context,
        encoder_hidden_states_mask=None,
        timestep=sigma,
        img_shapes=[[(1, h, w) for h, w in LAYOUT.images]],
        return_dict=False,
    )[0][:, : LAYOUT.num_targets]


def difference(a, b) -> float:
    a, b = a.detach(), b.detach()
    return float((a - b).abs().max() / b.abs().max())


@pytest.mark.parametrize("alpha", [None, 6.0])
def test_output_is_that_of_the_reference_with_the_same_adapter(reference, model, alpha):
    state = adapter(1)
    alphas = {f"transformer.{layer}.alpha": alpha for layer in LAYERS} if alpha else None
    base = run(model)
    reference.load_lora_adapter(dict(state), prefix="transformer", network_alphas=alphas, adapter_name="a")
    try:
        expected = run_reference(reference)
    finally:
        reference.delete_adapters("a")
    lora.merge(model, state | {key: torch.tensor(value) for key, value in (alphas or {}).items()})
    assert difference(base, expected) > 1e-2
    assert difference(run(model), expected) < 1e-4


def test_a_file_that_the_reference_saved_is_read_with_its_alpha(reference, model, tmp_path):
    state = adapter(2)
    reference.load_lora_adapter(
        dict(state), prefix="transformer", adapter_name="a",
        network_alphas={f"transformer.{layer}.alpha": 2.0 if "to_q" in layer else 9.0 for layer in LAYERS},
    )  # fmt: skip
    try:
        reference.save_lora_adapter(tmp_path, adapter_name="a", weight_name="adapter.safetensors")
        expected = run_reference(reference)
    finally:
        reference.delete_adapters("a")
    lora.merge(model, lora.read(tmp_path / "adapter.safetensors"))
    assert difference(run(model), expected) < 1e-4


@pytest.mark.parametrize("prefix", ["", "transformer.", "diffusion_model.", "base_model.model."])
@pytest.mark.parametrize(
    "names", [("lora_A", "lora_B"), ("lora_down", "lora_up"), ("lora_A.default", "lora_B.default")]
)
def test_every_key_style_says_the_same(model, prefix, names):
    base = run(model)
    lora.attach(model, [(adapter(1), 1.0), (adapter(1, prefix=prefix, names=names), -1.0)])
    assert difference(run(model), base) < 1e-5


def test_the_names_of_kohya_trainers_say_the_same(model):
    base = run(model)
    flat = {}
    for key, tensor in adapter(1, prefix="", names=("lora_down", "lora_up")).items():
        layer, part, _ = key.rsplit(".", 2)
        flat[f"lora_unet_{layer.replace('.', '_')}.{part}.weight"] = tensor
        flat[f"lora_unet_{layer.replace('.', '_')}.alpha"] = torch.tensor(3.0)  # the rank
    lora.attach(model, [(adapter(1), 1.0), (flat, -1.0)])
    assert difference(run(model), base) < 1e-5


def test_attached_is_merged(model):
    other = Transformer(model.config).eval().requires_grad_(False)
    other.load_state_dict(model.state_dict())
    lora.merge(model, adapter(1), 0.7)
    lora.merge(model, adapter(2, rank=5), -1.5)
    lora.attach(other, [(adapter(1), 0.7)])
    lora.attach(other, [(adapter(2, rank=5), -1.5)])
    assert difference(run(other), run(model)) < 1e-5


def test_attaching_leaves_the_weights_alone(model):
    before = {name: p.clone() for name, p in model.named_parameters()}
    lora.attach(model, [(adapter(1), 1.0), (adapter(2), 1.0)])
    after = {name.replace(".base.", "."): p for name, p in model.named_parameters()}
    assert all(torch.equal(after[name], p) for name, p in before.items())


def test_merging_below_an_attached_adapter_adds_both(model):
    base = run(model)
    lora.attach(model, [(adapter(1), 1.0)])
    lora.merge(model, adapter(1), -1.0)
    assert difference(run(model), base) < 1e-5


@pytest.mark.parametrize("way", ["merge", "attach"])
def test_strength_zero_is_the_base(model, way):
    base = run(model)
    if way == "merge":
        lora.merge(model, adapter(1), 0.0)
    else:
        lora.attach(model, [(adapter(1), 0.0)])
    assert torch.equal(run(model), base)


def test_keys_that_match_nothing_are_all_named_and_nothing_is_changed(model):
    base = run(model)
    bad = {
        "transformer.transformer_blocks.0.ff.net.0.lora_A.weight": torch.zeros(3, 32),
        "transformer.transformer_blocks.0.attn.to_q.lora_magnitude_vector": torch.zeros(32),
    }
    for apply in (lambda s: lora.merge(model, s), lambda s: lora.attach(model, [(adapter(2), 1.0), (s, 1.0)])):
        with pytest.raises(ValueError, match="matches no linear layer") as error:
            apply(adapter(1) | bad)
        assert all(key in str(error.value) for key in bad)
        assert torch.equal(run(model), base)


def test_factors_of_another_shape_or_without_a_partner_are_refused():
    model = nn.Sequential(nn.Linear(4, 6), nn.Linear(6, 2))
    with pytest.raises(ValueError, match=r"0 is 4 → 6, its factors are \(2, 5\) and \(6, 2\)"):
        lora.merge(model, {"0.lora_A.weight": torch.zeros(2, 5), "0.lora_B.weight": torch.zeros(6, 2)})
    with pytest.raises(ValueError, match="1 has no up factor"):
        lora.merge(model, {"1.lora_A.weight": torch.zeros(2, 6)})
    factors = {"0.lora_A.weight": torch.zeros(2, 4), "0.lora_B.weight": torch.zeros(6, 2)}
    for part in factors:
        with pytest.raises(ValueError, match=r"its factors are .*\(\)"):
            lora.merge(model, {**factors, part: torch.tensor(1.0)})
    with pytest.raises(ValueError, match=r"its factors are \(0, 4\) and \(6, 0\)"):
        lora.merge(model, {"0.lora_A.weight": torch.zeros(0, 4), "0.lora_B.weight": torch.zeros(6, 0)})
    with pytest.raises(ValueError, match="0 has an alpha of 3 numbers"):
        lora.merge(model, {**factors, "0.alpha": torch.ones(3)})


def test_a_weight_keeps_its_dtype():
    model = nn.Sequential(nn.Linear(4, 6)).bfloat16()
    state = {"0.lora_A.weight": torch.randn(2, 4), "0.lora_B.weight": torch.randn(6, 2)}
    lora.merge(model, state)
    assert model[0].weight.dtype == torch.bfloat16
    lora.attach(model, [(state, 1.0)])
    assert model(torch.zeros(1, 4, dtype=torch.bfloat16)).dtype == torch.bfloat16


def test_rank_stabilised_adapters_are_refused(tmp_path):
    metadata = {"lora_adapter_metadata": json.dumps({"transformer.lora_alpha": 8, "transformer.use_rslora": True})}
    save_file({"0.lora_A.weight": torch.zeros(2, 4)}, tmp_path / "a.safetensors", metadata)
    with pytest.raises(ValueError, match="rank-stabilised"):
        lora.read(tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    "told", ["{", "[1]", "5", '{"lora_alpha": null}', '{"lora_alpha": 2, "alpha_pattern": {"(": 1}}']
)
def test_a_damaged_configuration_names_its_file(tmp_path, told):
    path = tmp_path / "a.safetensors"
    save_file({"0.lora_A.weight": torch.zeros(2, 4)}, path, {"lora_adapter_metadata": told})
    with pytest.raises(ValueError, match=r"a\.safetensors has a damaged configuration"):
        lora.read(path)
