"""Weights in 8 bits through torchao: nearly the same results, smaller, streamed too."""

import pytest
import torch
from published_weights import write_published

from omnialpha_cli.model import quantise
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


def test_without_torchao_the_extra_is_named(tmp_path, monkeypatch):
    def missing(name):
        raise ImportError(f"No module named {name}")

    write_published(tmp_path)
    monkeypatch.setattr(quantise, "import_module", missing)
    with pytest.raises(ImportError, match=r"omnialpha\[quantize\]"):
        OmniAlpha.load(tmp_path, quantize="int8")
