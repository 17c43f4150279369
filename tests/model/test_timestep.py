"""The timestep as the published pipeline holds it in 16 bits."""

import pytest
import torch

from omnialpha_cli.model.timestep import TimeEmbedding, rounded

SIGMAS = 1 - torch.rand(100_000, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("dtype", "values"), [(torch.bfloat16, 1941), (torch.float16, 12_577)])
def test_rounding_leaves_few_values_and_is_done_once_for_all(dtype, values):
    once = rounded(SIGMAS, dtype)
    assert torch.equal(rounded(once, dtype), once)
    assert values / 3 < len(once.unique()) <= values
    assert float((once / SIGMAS - 1).abs().max()) < 2 * torch.finfo(dtype).eps


def test_in_32_bits_it_rounds_nothing():
    assert torch.allclose(rounded(SIGMAS, torch.float32), SIGMAS, rtol=1e-6, atol=0)


@pytest.mark.slow  # importing diffusers takes seconds
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@torch.no_grad()
def test_the_embedding_equals_the_published_one_of_the_timestep_in_that_dtype(dtype):
    from diffusers.models.transformers.transformer_qwenimage import QwenTimestepProjEmbeddings

    torch.manual_seed(0)
    theirs = QwenTimestepProjEmbeddings(48).to(dtype)
    ours, exact = (TimeEmbedding(48, rounding).to(dtype) for rounding in (True, False))
    ours.load_state_dict(theirs.state_dict())
    exact.load_state_dict(theirs.state_dict())
    timestep = (SIGMAS[:50] * 1000).to(dtype) / 1000
    expected = theirs(timestep, torch.empty(0, dtype=dtype))
    tolerance = {"atol": 1e-5 if dtype == torch.float32 else 0.01}
    assert torch.allclose(ours(SIGMAS[:50], dtype), expected, **tolerance)
    if dtype == torch.bfloat16:
        assert not torch.allclose(exact(SIGMAS[:50], dtype), expected, **tolerance)
