"""What is chosen for the memory that is there, and networks that leave after their stage."""

from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
from torch import nn

from omnialpha_cli.model import omnialpha
from omnialpha_cli.model.memory import WINDOW, WORKSPACE, Needs, Plan, plan, present
from omnialpha_cli.model.omnialpha import OmniAlpha, Request

GB = 10**9
PUBLISHED = Needs(transformer=41 * GB, context=17 * GB, vae=GB)


@pytest.mark.parametrize(
    ("free", "mode"),
    [(80, "resident"), (66, "resident"), (64, "staged"), (49, "staged"), (47, "stream"), (16, "stream")],
)
def test_auto_takes_the_fastest_that_fits(free, mode):
    assert WORKSPACE == 6 * 2**30
    assert plan("auto", PUBLISHED, free * GB).mode == mode


def test_smaller_weights_stay_where_whole_ones_do_not():
    small = replace(PUBLISHED, transformer=12 * GB)
    assert plan("auto", small, 24 * GB).mode == "staged"
    assert plan("auto", small, 40 * GB).mode == "resident"


def test_what_was_asked_for_is_done_and_the_reason_is_said():
    assert plan("stream", PUBLISHED, 80 * GB) == Plan("stream", "as asked for")
    assert plan("resident", PUBLISHED, 16 * GB).mode == "staged"  # never block by block
    assert plan("auto", PUBLISHED, None).mode == "resident"  # the host itself
    assert str(plan("auto", PUBLISHED, 24 * GB)) == "stream: the transformer's 41.0 GB are too much for 24.0 GB free"


def test_a_staged_network_is_there_inside_alone():
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    before = [t.clone() for t in (*network.parameters(), *network.buffers())]
    with pytest.raises(RuntimeError, match="in the stage"), present(network, "meta", staged=True):
        assert all(t.is_meta for t in (*network.parameters(), *network.buffers()))
        raise RuntimeError("in the stage")
    after = [*network.parameters(), *network.buffers()]
    assert all(torch.equal(a, b) for a, b in zip(after, before, strict=True))
    with present(network, "meta", staged=False):
        assert not network[0].weight.is_meta


def test_context_and_encoding_are_over_for_all_requests_before_the_transformer_comes(published, monkeypatch):
    model = OmniAlpha.load(published, dtype=torch.float32)
    calls = []
    for name in ("context", "encode", "sample", "decode"):
        method = getattr(OmniAlpha, name)

        def logged(*given, _name=name, _method=method, **more):
            calls.append(_name)
            return _method(*given, **more)

        monkeypatch.setattr(OmniAlpha, name, logged)
    requests = [Request("a", (torch.rand(4, 64, w),), ((64, w),)) for w in (64, 96)]
    model.run(requests, steps=1)
    assert calls == ["context"] * 2 + ["encode"] * 2 + ["sample", "decode"] * 2


def test_a_staged_model_gives_what_a_resident_one_gives(published):
    model = OmniAlpha.load(published, dtype=torch.float32)
    request = Request("a", (torch.rand(4, 64, 64),), ((64, 64),))
    expected = model.run([request], steps=2)[0][0]
    model.memory = Plan("staged")
    for _ in range(2):
        assert torch.equal(model.run([request], steps=2)[0][0], expected)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["staged", "stream"])
def test_each_network_comes_and_goes_once_for_a_window_of_batches(published, monkeypatch, mode):
    """Of requests of two tasks, which make five batches; in a call a batch each would come five times."""
    model = OmniAlpha.load(published, dtype=torch.float32, memory="stream" if mode == "stream" else "auto")
    model.memory = Plan(mode)
    came, batches = [], []

    @contextmanager
    def counting(network, device, staged):
        came.append((type(network).__name__, staged))
        with present(network, device, staged):
            yield

    sample = OmniAlpha.sample
    monkeypatch.setattr(omnialpha, "present", counting)
    monkeypatch.setattr(OmniAlpha, "sample", lambda self, requests, *given: batches.append(len(requests)) or
                        sample(self, requests, *given))  # fmt: skip
    image = torch.rand(4, 64, 64)
    requests = [Request(f"{i}", (image,), ((64, 64),) * (1 + i % 2), seed=i) for i in range(9)]
    together = [None] * len(requests)
    for members, layers in model.run_batches(requests, steps=1, batch_size=2):
        for i, images in zip(members, layers, strict=True):
            together[i] = images
    assert came == [("QwenContext", True), ("Transformer", mode == "staged")]
    assert sorted(batches) == [1, 2, 2, 2, 2]
    for request, layers in zip(requests, together, strict=True):
        (alone,) = model.run([request], steps=1)
        # Guidance multiplies what the sizes of batches round differently; on processors without AVX-512 above 1e-5.
        assert all(torch.allclose(a, b, atol=5e-5) for a, b in zip(layers, alone, strict=True))


def test_a_window_is_several_batches_where_networks_take_turns_alone():
    assert [Plan(mode).window for mode in ("resident", "staged", "stream")] == [1, WINDOW, WINDOW]


def test_cpu_is_the_cpu_whatever_the_device(published):
    model = OmniAlpha.load(published, "cuda", memory="cpu")
    assert model.device == torch.device("cpu")
