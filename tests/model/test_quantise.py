"""Weights in 8 bits through torchao: nearly the same results, smaller, streamed too."""

import copy

import pytest
import torch
from published_weights import write_published
from torch import nn

from omnialpha_cli.model import lora, quantise
from omnialpha_cli.model.omnialpha import OmniAlpha, Request
from omnialpha_cli.model.streaming import plain_tensors

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


def test_without_torchao_the_extra_is_named(tmp_path, monkeypatch):
    def missing(name):
        raise ImportError(f"No module named {name}")

    write_published(tmp_path)
    monkeypatch.setattr(quantise, "import_module", missing)
    with pytest.raises(ImportError, match=r"omnialpha\[quantize\]"):
        OmniAlpha.load(tmp_path, quantize="int8")
