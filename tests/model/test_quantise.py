"""Weights in 8 bits through torchao, and in 4: nearly the same results, smaller, streamed too."""

import copy

import pytest
import torch
from published_weights import write_published
from torch import nn

from omnialpha_cli.model import lora, quantise
from omnialpha_cli.model.omnialpha import OmniAlpha, Request
from omnialpha_cli.model.streaming import BlockStream, plain_tensors

REQUEST = Request("a red cat", (torch.rand(4, 64, 64, generator=torch.Generator().manual_seed(0)),), ((64, 64),))


def bytes_of(module):
    return sum(t.numel() * t.element_size() for t in plain_tensors(module))


@pytest.mark.parametrize("memory", ["resident", "stream"])
@pytest.mark.parametrize("kind", ["int8", "fp8"])
def test_results_stay_close_and_blocks_get_smaller(tmp_path, kind, memory):
    pytest.importorskip("torchao")
    write_published(tmp_path)
    whole = OmniAlpha.load(tmp_path, dtype=torch.bfloat16)
    small = OmniAlpha.load(tmp_path, dtype=torch.bfloat16, quantize=kind, memory=memory)
    expected, ours = (model.run([REQUEST], steps=2)[0][0] for model in (whole, small))
    assert 0 < float((ours - expected).abs().mean()) < 0.02
    ratio = bytes_of(small.transformer.transformer_blocks[0]) / bytes_of(whole.transformer.transformer_blocks[0])
    assert ratio < 0.75  # tiny layers: scales and biases weigh more than in the full model


@pytest.mark.parametrize("share", [0.002, 0.05])
def test_a_lora_merged_before_quantising_is_as_exact_as_one_beside(share):
    """So the command merges. Rounding falls on the sum as it would on the weights, however small the LoRA is."""
    pytest.importorskip("torchao")
    g = torch.Generator().manual_seed(0)
    side = 256
    base = nn.Sequential(nn.Linear(side, side, bias=False))
    base[0].weight.data = torch.randn(side, side, generator=g) * side**-0.5
    state = {
        "0.lora_A.weight": torch.randn(8, side, generator=g) * side**-0.5,
        "0.lora_B.weight": torch.randn(side, 8, generator=g) * 8**-0.5 * share,
    }
    x = torch.randn(64, side, generator=g)
    exact = copy.deepcopy(base)
    lora.merge(exact, state)
    errors = []
    for adapt in (lambda m: lora.merge(m, state), lambda m: lora.attach(m, [(state, 1.0)])):
        model = copy.deepcopy(base).bfloat16()
        adapt(model)
        quantise.quantise_blocks(nn.ModuleList([model]), "int8", torch.device("cpu"), leave=True)
        with torch.inference_mode():
            errors.append(float((model(x.bfloat16()).float() - exact(x)).norm()))
    merged, beside = errors
    assert merged == pytest.approx(beside, rel=0.1)


class TestFourBits:
    def layer(self, inputs: int = 256, dtype: torch.dtype = torch.float32) -> nn.Linear:
        torch.manual_seed(0)
        return nn.Linear(inputs, 48, dtype=dtype)

    def test_each_weight_is_at_the_nearest_of_16_levels_of_its_group(self):
        layer = self.layer()
        groups = layer.weight.detach().unflatten(1, (-1, quantise.GROUP))
        low, high = groups.amin(2, keepdim=True), groups.amax(2, keepdim=True)
        levels = low + (high - low) * torch.arange(16) / 15  # (out, groups, 16)
        nearest = (groups[..., None] - levels[:, :, None]).abs().min(3).values.flatten(1)
        off = (quantise.Int4Linear(layer).weight() - layer.weight).abs()
        assert torch.allclose(off, nearest, atol=1e-6)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
    def test_results_stay_close_at_half_a_byte_a_weight(self, dtype):
        layer, x = self.layer(dtype=dtype), torch.randn(5, 256, dtype=dtype)
        small = quantise.Int4Linear(layer)
        with torch.inference_mode():
            exact, ours = layer(x).float(), small(x).float()
        assert 0 < float((ours - exact).norm() / exact.norm()) < 0.12
        scales = 2 * layer.weight.element_size() / quantise.GROUP
        assert bytes_of(small) == layer.weight.numel() * (0.5 + scales) + layer.bias.nbytes

    def test_weights_that_are_all_equal_stay_what_they_are(self):
        layer = self.layer()
        layer.weight.data.fill_(0.3)
        assert torch.equal(quantise.Int4Linear(layer).weight(), layer.weight)

    def test_layers_of_other_widths_are_left_alone(self):
        block = nn.Sequential(self.layer(), nn.Linear(48, 200), nn.Linear(200, 128))
        quantise.quantise_blocks(nn.ModuleList([block]), "int4", torch.device("cpu"), leave=True)
        assert [type(layer) for layer in block] == [quantise.Int4Linear, nn.Linear, nn.Linear]

    def test_blocks_pass_through_the_device_in_4_bits(self):
        """And an adapter beside stays beside."""
        torch.manual_seed(0)
        blocks = nn.ModuleList([nn.Sequential(nn.Linear(128, 128), nn.Linear(128, 128)) for _ in range(3)])
        state = {"0.0.lora_A.weight": torch.randn(2, 128), "0.0.lora_B.weight": torch.randn(128, 2)}
        alone = copy.deepcopy(blocks)
        lora.attach(blocks, [(state, 1.0)])
        for part in (blocks, alone):
            quantise.quantise_blocks(part, "int4", torch.device("cpu"), leave=False)
        assert isinstance(blocks[0][0].base, quantise.Int4Linear)
        x = torch.randn(4, 128)
        with torch.inference_mode():
            beside = x @ state["0.0.lora_A.weight"].T @ state["0.0.lora_B.weight"].T
            torch.testing.assert_close(blocks[0][0](x), alone[0][0](x) + beside)
            expected = alone[2](alone[1](alone[0](x)))
            for _ in range(2):
                found = x
                for block in BlockStream(alone, torch.device("cpu")):
                    found = block(found)
                assert torch.equal(found, expected)


def test_without_torchao_the_extra_is_named(tmp_path, monkeypatch):
    def missing(name):
        raise ImportError(f"No module named {name}")

    write_published(tmp_path)
    monkeypatch.setattr(quantise, "import_module", missing)
    with pytest.raises(ImportError, match=r"omnialpha\[quantize\]"):
        OmniAlpha.load(tmp_path, quantize="int8")
