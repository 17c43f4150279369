"""Adapters in training: they start as nothing, and what is saved does the same where it is loaded."""

import json

import pytest
import torch
from published_weights import TRANSFORMER, randomise
from safetensors import safe_open

from omnialpha_cli.lab.train.distributed import ALONE, Group
from omnialpha_cli.lab.train.lora import FILE, Adapted, LoRA, adapt, save, without_adapters
from omnialpha_cli.model import lora as loading
from omnialpha_cli.model.positions import Layout
from omnialpha_cli.model.transformer import Transformer, TransformerConfig
from omnialpha_cli.status import UsageError

ATTENTION = LoRA(r"transformer_blocks\.\d+\.attn\.(to_[qkv]|to_out\.0|add_[qkv]_proj|to_add_out)", 4, 4)
EVERYTHING = LoRA(r".*", 3, 6.0)
LAYOUT = Layout(targets=[(2, 3)], inputs=[(2, 3)])


def transformer() -> Transformer:
    torch.manual_seed(0)
    model = Transformer(TransformerConfig.from_dict(TRANSFORMER))
    randomise(model, 0.1)
    return model


def run(model) -> torch.Tensor:
    g = torch.Generator().manual_seed(5)
    tokens = torch.randn(1, LAYOUT.num_tokens, 64, generator=g)
    with torch.no_grad():
        return model(tokens, torch.randn(1, 7, 32, generator=g), torch.tensor([0.6]), LAYOUT)


def trained(settings: LoRA) -> Transformer:
    """Adapters as if training had changed them."""
    model = transformer()
    adapt(model, settings)
    g = torch.Generator().manual_seed(1)
    for layer in model.modules():
        if isinstance(layer, Adapted):
            layer.up.data = torch.randn(layer.up.shape, generator=g) * 0.2
    return model


@pytest.mark.parametrize("settings", [ATTENTION, EVERYTHING])
def test_a_new_adapter_changes_nothing_and_is_all_that_learns(settings):
    model = transformer()
    before = run(model)
    adapt(model, settings)
    assert torch.equal(run(model), before)
    learning = {name for name, p in model.named_parameters() if p.requires_grad}
    assert learning and all(name.rpartition(".")[2] in ("up", "down") for name in learning)


def test_its_factors_are_drawn_as_the_published_ones():
    model = transformer()
    adapt(model, LoRA(r".*img_mlp.*", 16, 16))
    downs = torch.cat([m.down.flatten() for m in model.modules() if isinstance(m, Adapted)])
    assert float(downs.detach().std()) == pytest.approx(1 / 16, rel=0.05)


def test_a_pattern_that_names_nothing_is_refused():
    with pytest.raises(UsageError, match="names no linear layer"):
        adapt(transformer(), LoRA("ff.*", 4, 4))


@pytest.mark.parametrize("settings", [ATTENTION, EVERYTHING])
def test_what_is_saved_does_the_same_merged_or_beside(tmp_path, settings):
    model = trained(settings)
    save(model, settings, tmp_path / FILE, ALONE)
    wanted, base = run(model), run(transformer())
    assert float((wanted - base).abs().max()) > 1e-2
    merged, beside = transformer(), transformer()
    loading.merge(merged, loading.read(tmp_path / FILE))
    loading.attach(beside, [(loading.read(tmp_path / FILE), 1.0)])
    assert torch.allclose(run(merged), wanted, atol=1e-4)
    assert torch.allclose(run(beside), wanted, atol=1e-4)
    with without_adapters(model):
        assert torch.equal(run(model), base)
    assert torch.equal(run(model), wanted)


def test_diffusers_reads_it_with_its_alpha(tmp_path):
    from diffusers import QwenImageTransformer2DModel

    model = trained(settings := LoRA(ATTENTION.modules, 4, 6.0))
    save(model, settings, tmp_path / FILE, ALONE)
    reference = QwenImageTransformer2DModel(**TRANSFORMER).eval()
    reference.load_state_dict(transformer().state_dict())
    folder, name = (tmp_path / FILE).parent, FILE.name
    reference.load_lora_adapter(folder, prefix="transformer", adapter_name="a", weight_name=name)
    g = torch.Generator().manual_seed(5)
    tokens, context = torch.randn(1, LAYOUT.num_tokens, 64, generator=g), torch.randn(1, 7, 32, generator=g)
    with torch.no_grad():
        found = reference(
            hidden_states=tokens, encoder_hidden_states=context, encoder_hidden_states_mask=None,
            timestep=torch.tensor([0.6]), img_shapes=[[(1, h, w) for h, w in LAYOUT.images]], return_dict=False,
        )[0][:, : LAYOUT.num_targets]  # fmt: skip
    assert torch.allclose(found, run(model), atol=1e-4)


def test_its_metadata_has_what_diffusers_reads_without_asking(tmp_path):
    """diffusers 0.36 raises KeyError without `rank_pattern` and `alpha_pattern`."""
    save(trained(settings := LoRA(ATTENTION.modules, 4, 6.0)), settings, tmp_path / FILE, ALONE)
    with safe_open(tmp_path / FILE, framework="pt") as file:
        told = json.loads(file.metadata()["lora_adapter_metadata"])
    layers = told.pop("transformer.target_modules")
    assert {name.removeprefix("transformer."): value for name, value in told.items()} == {
        "r": 4, "lora_alpha": 6.0, "rank_pattern": {}, "alpha_pattern": {}
    }  # fmt: skip
    assert len(layers) == 16 and "transformer_blocks.1.attn.to_out.0" in layers


def test_only_the_first_process_writes(tmp_path):
    save(trained(ATTENTION), ATTENTION, tmp_path / FILE, Group(torch.device("cpu"), rank=1, world=2))
    assert not (tmp_path / FILE).exists()


def test_the_base_keeps_its_own_numbers_and_the_factors_theirs():
    model = transformer().bfloat16()
    adapt(model, ATTENTION)
    dtypes = {p.requires_grad: p.dtype for p in model.parameters()}
    assert dtypes == {False: torch.bfloat16, True: torch.float32}
    g = torch.Generator().manual_seed(5)
    tokens = torch.randn(1, LAYOUT.num_tokens, 64, generator=g).bfloat16()
    out = model(tokens, torch.randn(1, 7, 32, generator=g).bfloat16(), torch.tensor([0.6]), LAYOUT)
    out.float().square().mean().backward()
    assert out.dtype == torch.bfloat16
    layer = model.transformer_blocks[0].attn.to_q
    assert layer.up.grad.dtype == torch.float32 and float(layer.up.grad.abs().sum()) > 0
