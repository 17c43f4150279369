"""What the benchmark of the full width says, on a small one."""

import pytest
import torch

from omnialpha_cli.lab.evaluate import transformer_speed
from omnialpha_cli.lab.evaluate.transformer_speed import count_operations, matmul_peak, measure
from omnialpha_cli.model.config import TransformerConfig
from omnialpha_cli.model.positions import Layout

CONFIG = TransformerConfig(num_layers=10, num_attention_heads=2, attention_head_dim=32, joint_attention_dim=48,
                           axes_dims_rope=(8, 12, 12))  # fmt: skip
CPU = torch.device("cpu")


def run(layers, **more):
    options = {"context": 6, "batch": 2, "steps": 50, "rounds": 2, "device": CPU, "dtype": torch.float32}
    return measure(CONFIG, layers, Layout([(4, 4)], [(4, 4)]), **options | more)


@pytest.fixture
def clock(monkeypatch):
    """A clock by which a step takes 2 s and .5 s for each block beyond the first, and a product 1 s."""

    def timings(work, device, rounds):
        work()
        transformer = next(
            (c.cell_contents for c in work.__closure__ if hasattr(c.cell_contents, "transformer_blocks")), None
        )
        return [2 + 0.5 * (len(transformer.transformer_blocks) - 1) if transformer else 1.0] * rounds

    monkeypatch.setattr(transformer_speed, "_timings", timings)
    monkeypatch.setitem(transformer_speed.PEAK_SIDE, "cpu", 64)


def test_the_depth_is_extrapolated_from_two_measurements(clock):
    speed = run(3)
    assert speed.measured == 3.0
    assert speed.step == pytest.approx(2 + 9 * 0.5)
    assert speed.image == pytest.approx(6.5 * 50 * 2 / 2)  # two branches, a batch of two
    assert (speed.layers, speed.tokens, speed.batch) == (3, 38, 2)
    assert run(1).step == pytest.approx(2 * 10)


def test_rates_follow_from_the_operations_counted(clock):
    speed = run(3)
    assert speed.peak == pytest.approx(2 * 64**3 / 1e12)
    assert speed.share == pytest.approx(speed.teraflops / speed.peak)
    # Two of three blocks over all 38 tokens, the last one over the targets: between 2 and 3 times the layers' size.
    d, tokens = 64, 38
    block = 2 * tokens * (4 * d * d + 8 * d * d) + 4 * tokens * tokens * d
    operations = speed.teraflops * 1e12 * speed.measured / 2  # an item
    assert 2 * block < operations < 4 * block


@pytest.mark.slow
def test_all_of_attention_is_counted_and_the_last_block_as_far_as_it_computes():
    """By hand, of one block: with few tokens all else would hide it."""
    layout, d, context = Layout([(4, 4)], [(4, 4)]), 64, 6
    tokens = layout.num_tokens + context
    less, more = (count_operations(CONFIG, layers, layout, context, 1) for layers in (2, 3))
    modulation = 2 * 2 * d * 6 * d  # of both streams, one vector
    assert more - less == 2 * tokens * 12 * d * d + 4 * tokens * tokens * d + modulation
    assert count_operations(CONFIG, 1, layout, context, 2) < 2 * (more - less)


@pytest.mark.slow
def test_quantised_weights_take_less_and_are_counted_the_same(monkeypatch):
    monkeypatch.setitem(transformer_speed.PEAK_SIDE, "cpu", 64)
    for streamed in (False, True):
        speed = run(2, quantize="int8", dtype=torch.bfloat16, streamed=streamed)
        operations = count_operations(CONFIG, 2, Layout([(4, 4)], [(4, 4)]), 6, 2)
        assert speed.teraflops * speed.measured * 1e12 == pytest.approx(operations)


@pytest.mark.slow
def test_really_measured_it_is_positive_and_streams_and_compiles(monkeypatch):
    monkeypatch.setitem(transformer_speed.PEAK_SIDE, "cpu", 64)
    compiled = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda block: compiled.append(block))
    for speed in (run(2), run(2, streamed=True, compiled=True)):
        assert speed.measured > 0 and speed.memory > 0 and speed.share > 0  # a difference of two times may be anything
    assert compiled
    assert matmul_peak(CPU, torch.float32, 2) > 0
