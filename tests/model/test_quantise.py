"""Weights in 8 bits, beside torchao's, and in 4: nearly the same results, smaller, streamed too."""

import copy
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from omnialpha_cli.model import lora, quantise
from omnialpha_cli.model.memory import BlockStream, plain_tensors
from omnialpha_cli.model.omnialpha import OmniAlpha, Request

REQUEST = Request("a red cat", (torch.rand(4, 64, 64, generator=torch.Generator().manual_seed(0)),), ((64, 64),))


def bytes_of(module):
    return sum(t.numel() * t.element_size() for t in plain_tensors(module))


@pytest.mark.parametrize("memory", ["resident", "stream"])
@pytest.mark.parametrize("kind", ["int8", "fp8"])
def test_results_stay_close_and_blocks_get_smaller(published, kind, memory):
    whole = OmniAlpha.load(published, dtype=torch.bfloat16)
    small = OmniAlpha.load(published, dtype=torch.bfloat16, quantize=kind, memory=memory)
    expected, ours = (model.run([REQUEST], steps=2)[0][0] for model in (whole, small))
    assert 0 < float((ours - expected).abs().mean()) < 0.02
    ratio = bytes_of(small.transformer.transformer_blocks[0]) / bytes_of(whole.transformer.transformer_blocks[0])
    assert ratio < 0.75  # tiny layers: scales and biases weigh more than in the full model


@pytest.mark.parametrize("share", [0.002, 0.05])
def test_a_lora_merged_before_quantising_is_as_exact_as_one_beside(share):
    """So the command merges. Rounding falls on the sum as it would on the weights, however small the LoRA is."""
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


def layer(inputs: int = 256, outputs: int = 48, dtype: torch.dtype = torch.float32) -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(inputs, outputs, dtype=dtype)


class TestEightBits:
    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
    @pytest.mark.parametrize("kind, config", [("int8", "Int8WeightOnlyConfig"), ("fp8", "Float8WeightOnlyConfig")])
    def test_results_are_those_of_torchao(self, kind, config, dtype):
        quantization = pytest.importorskip("torchao.quantization")
        theirs, x = nn.Sequential(layer(dtype=dtype)), torch.randn(2, 5, 256, dtype=dtype)
        ours, whole = copy.deepcopy(theirs), copy.deepcopy(theirs).float()
        quantization.quantize_(theirs, getattr(quantization, config)())
        quantise.quantise_blocks(nn.ModuleList([ours]), kind, torch.device("cpu"), leave=True)
        with torch.inference_mode():
            exact, expected, found = whole(x.float()), theirs(x).float(), ours(x).float()
        off = float((found - exact).norm() / exact.norm())
        assert 0 < off < (0.01 if kind == "int8" else 0.04)
        assert off == pytest.approx(float((expected - exact).norm() / exact.norm()), rel=0.1)

    def test_a_product_in_fp8_is_that_of_rounded_tokens_and_weights(self):
        """The one that a GPU makes: here a CPU makes it."""
        small, x = quantise.Fp8Linear(layer(dtype=torch.bfloat16)), torch.randn(2, 5, 256).bfloat16()
        x[0, 1] *= 1000  # a loud token does not make others coarse
        x[1, 2] = 0
        rounded, scale = quantise.in_range(x.flatten(0, 1).float(), 448)
        weight = small.entries.float() * small.scale[:, None]
        with torch.inference_mode():
            expected = (rounded.to(quantise.FP8).float() * scale) @ weight.T + small.bias.float()
            found = small.multiplied(x)
            exact = torch.nn.functional.linear(x.float(), weight, small.bias.float())
        assert found.dtype == torch.bfloat16 and found.shape == (2, 5, 48)
        each = (found.flatten(0, 1).float() - expected).norm(dim=1) / expected.norm(dim=1)
        assert float(each.max()) < 0.01
        assert float((found.float() - exact).norm() / exact.norm()) < 0.05

    @pytest.mark.parametrize("shape, dtype, sides, multiplied", [
        ((2, 5, 256), torch.bfloat16, (256, 48), True),
        ((5, 256), torch.bfloat16, (256, 48), False),  # a row a picture
        ((2, 5, 256), torch.float32, (256, 48), False),  # devices make nothing but bfloat16 of it
        ((2, 5, 40), torch.bfloat16, (40, 48), False),
        ((2, 5, 256), torch.bfloat16, (256, 40), False),
    ])  # fmt: skip
    def test_tokens_are_multiplied_in_fp8_where_a_device_can(self, monkeypatch, shape, dtype, sides, multiplied):
        monkeypatch.setattr(quantise, "multiplies_fp8", lambda device: True)
        small, x = quantise.Fp8Linear(layer(*sides, dtype)), torch.randn(shape, dtype=dtype)
        with torch.inference_mode():
            whole = quantise.EightBitLinear.forward(small, x)
            assert torch.equal(small(x), small.multiplied(x) if multiplied else whole)

    def test_a_device_multiplies_in_fp8_from_hopper_on(self, monkeypatch):
        assert not quantise.multiplies_fp8(torch.device("cpu"))
        for major, can in ((8, False), (9, True), (10, True)):
            card = SimpleNamespace(major=major)
            monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device, card=card: card)
            assert quantise.multiplies_fp8(torch.device("cuda")) == can

    @pytest.mark.slow
    def test_it_compiles_in_one_piece(self, monkeypatch):
        monkeypatch.setattr(quantise, "multiplies_fp8", lambda device: True)
        small, x = quantise.Fp8Linear(layer(dtype=torch.bfloat16)).requires_grad_(False), torch.randn(2, 5, 256)
        compiled = torch.compile(small, fullgraph=True, backend="eager")
        with torch.inference_mode():
            assert torch.equal(compiled(x.bfloat16()), small.multiplied(x.bfloat16()))

    @pytest.mark.parametrize("kind", ["int8", "fp8"])
    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
    def test_a_layer_of_zeros_and_without_bias_stays_one(self, kind, dtype):
        base = nn.Linear(32, 16, bias=False, dtype=dtype)
        base.weight.data.zero_()
        small = quantise.LAYERS[kind](base)
        assert not small(torch.randn(3, 32, dtype=dtype)).any()


class TestFourBits:
    def test_each_weight_is_at_the_nearest_of_16_levels_of_its_group(self):
        base = layer()
        groups = base.weight.detach().unflatten(1, (-1, quantise.GROUP))
        low, high = groups.amin(2, keepdim=True), groups.amax(2, keepdim=True)
        levels = low + (high - low) * torch.arange(16) / 15  # (out, groups, 16)
        nearest = (groups[..., None] - levels[:, :, None]).abs().min(3).values.flatten(1)
        off = (quantise.Int4Linear(base).weight() - base.weight).abs()
        assert torch.allclose(off, nearest, atol=1e-6)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
    def test_results_stay_close_at_half_a_byte_a_weight(self, dtype):
        base, x = layer(dtype=dtype), torch.randn(5, 256, dtype=dtype)
        small = quantise.Int4Linear(base)
        with torch.inference_mode():
            exact, ours = base(x).float(), small(x).float()
        assert 0 < float((ours - exact).norm() / exact.norm()) < 0.12
        scales = 2 * base.weight.element_size() / quantise.GROUP
        assert bytes_of(small) == base.weight.numel() * (0.5 + scales) + base.bias.nbytes

    def test_weights_that_are_all_equal_stay_what_they_are(self):
        base = layer()
        base.weight.data.fill_(0.3)
        assert torch.equal(quantise.Int4Linear(base).weight(), base.weight)

    def test_layers_of_other_widths_are_left_alone(self):
        block = nn.Sequential(layer(), nn.Linear(48, 200), nn.Linear(200, 128))
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
