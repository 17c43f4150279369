"""Blocks that pass through the device: the order of copies and computing, and the same results."""

from contextlib import contextmanager

import pytest
import torch
from torch import nn

from omnialpha_cli.model.memory import BlockStream, plain_tensors
from omnialpha_cli.model.omnialpha import OmniAlpha, Request


class FakeStreams:
    """A device that is late: a copy is done when it is waited for, computing when the next copy needs its place."""

    def __init__(self):
        self.log, self.pending, self.busy = [], {}, {}

    @contextmanager
    def copying(self, place):
        self.log.append(("copy into", place))
        assert place not in self.busy, "the block in this place has not been computed yet"
        yield
        self.pending[place] = True

    def wait(self, place):
        self.log.append(("wait for", place))
        self.pending.pop(place)
        self.busy[place] = True

    def computed(self, place):
        self.log.append(("computed", place))
        self.busy.pop(place, None)


def blocks(count):
    return nn.ModuleList(nn.Linear(3, 3) for _ in range(count))


def test_the_next_block_is_copied_before_this_one_is_waited_for():
    streams = FakeStreams()
    for _ in BlockStream(blocks(3), torch.device("cpu"), streams):
        streams.log.append(("compute", None))
    assert streams.log == [
        ("computed", 0), ("computed", 1),  # made
        ("copy into", 0),
        ("copy into", 1), ("wait for", 0), ("compute", None), ("computed", 0),
        ("copy into", 0), ("wait for", 1), ("compute", None), ("computed", 1),
        ("wait for", 0), ("compute", None), ("computed", 0),
    ]  # fmt: skip


@pytest.mark.parametrize("count", [1, 2, 5])
def test_every_block_comes_in_order_with_its_own_weights_pass_after_pass(count):
    sources = blocks(count)
    stream = BlockStream(sources, torch.device("cpu"), FakeStreams())
    for _ in range(2):
        for block, source in zip(stream, sources, strict=True):
            assert torch.equal(block.weight, source.weight) and torch.equal(block.bias, source.bias)


def test_a_pass_that_was_given_up_does_not_spoil_the_next():
    sources = blocks(4)
    stream = BlockStream(sources, torch.device("cpu"), FakeStreams())
    for i, _ in enumerate(stream):
        if i == 1:
            break
    for block, source in zip(stream, sources, strict=True):
        assert torch.equal(block.weight, source.weight)


def test_two_places_hold_whatever_the_number_of_blocks():
    stream = BlockStream(blocks(7), torch.device("cpu"), FakeStreams())
    assert len({id(block) for block in stream}) == 2


def test_blocks_that_are_not_alike_are_refused():
    with pytest.raises(ValueError, match="merge it to stream"):
        BlockStream(nn.ModuleList([nn.Linear(3, 3), nn.Linear(3, 4)]), torch.device("cpu"))


def test_plain_tensors_are_all_parameters_and_buffers():
    module = nn.BatchNorm1d(4)
    assert len(plain_tensors(module)) == 5


@pytest.mark.slow
@pytest.mark.parametrize("guidance", [1.0, 4.0])
def test_a_streamed_model_gives_what_a_resident_one_gives(published, guidance):
    requests = [
        Request("a red cat", (torch.rand(4, 64, 64),), ((64, 64), (64, 64)), seed=1),
        Request("a", (torch.rand(4, 64, 64),), ((64, 64), (64, 64)), seed=2),
        Request("a feather", (), ((64, 96),), seed=3),
    ]
    resident, streamed = (OmniAlpha.load(published, dtype=torch.float32, memory=way) for way in ("resident", "stream"))
    assert (resident.memory.mode, streamed.memory.mode) == ("resident", "stream")
    expected = resident.run(requests, steps=3, guidance=guidance)
    for ours, theirs in zip(streamed.run(requests, steps=3, guidance=guidance), expected, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            assert torch.allclose(a, b, atol=1e-5)


def test_while_streaming_both_branches_share_one_pass_a_step(published):
    model = OmniAlpha.load(published, dtype=torch.float32, memory="stream")
    passes = []
    model.transformer.proj_out.register_forward_hook(lambda _, given, __: passes.append(len(given[0])))
    model.run([Request("a", (), ((64, 64),))], steps=3, guidance=4.0)
    assert passes == [2, 2, 2]


@pytest.mark.slow
@pytest.mark.parametrize("memory", ["resident", "stream"])
def test_compiled_blocks_give_the_same_without_a_graph_break(published, monkeypatch, memory):
    request = Request("a", (torch.rand(4, 64, 64),), ((64, 64),))
    expected = OmniAlpha.load(published, dtype=torch.float32).run([request], steps=2)[0][0]
    compile = nn.Module.compile
    monkeypatch.setattr(nn.Module, "compile", lambda block: compile(block, backend="eager", fullgraph=True))
    model = OmniAlpha.load(published, dtype=torch.float32, memory=memory, compile_blocks=True)
    assert torch.allclose(model.run([request], steps=2)[0][0], expected, atol=1e-5)
