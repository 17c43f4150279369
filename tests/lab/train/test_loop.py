"""The loop: it learns, it resumes to the same weights, it accumulates, it logs."""

import json
import multiprocessing
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from training_runs import RecordedReport

from omnialpha_cli.lab.train.loop import Objective, Schedule, learning_rate, train
from omnialpha_cli.status import UsageError

SCHEDULE = Schedule(steps=12, lr=1e-2, batch=4, save_every=4, log_every=4, bf16=False, lr_scale=(("0.", 0.5),))


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))


def draw(step, micro, g):
    return torch.randn(4, 3, generator=g)


def loss(model, x, term):
    value = (model(x) - x.sum(1, keepdim=True)).square().mean()
    return value, {"mse": float(value.detach())}


OBJECTIVE = Objective(draw, loss)


def weights(model: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_it_learns_and_logs(tmp_path):
    told = RecordedReport()
    train(network(), OBJECTIVE, replace(SCHEDULE, steps=200, log_every=50), tmp_path / "net", told)
    log = [json.loads(line) for line in (tmp_path / "net" / "log.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in log] == [50, 100, 150, 200]
    assert log[-1]["mse"] < 0.3 * log[0]["mse"]
    assert log[-1]["mse"] == log[-1]["loss"] and log[-1]["rate"] > 0
    assert len(told.lines) == 4
    assert told.steps == [("net", step, 200) for step in range(1, 201)]


def test_batches_drawn_ahead_are_the_same_and_are_drawn_while_the_network_computes(tmp_path):
    started = {step: multiprocessing.get_context("fork").Event() for step in range(12)}

    def told(step, micro, g):
        started[step].set()
        return draw(step, micro, g)

    steps = iter(range(12))

    def waiting(model, x, term):
        step = next(steps)
        assert step == 11 or started[step + 1].wait(20)  # the next one is being drawn
        return loss(model, x, term)

    ahead = train(network(), Objective(told, waiting), replace(SCHEDULE, ahead=2), tmp_path / "ahead", RecordedReport())
    plain = train(network(), OBJECTIVE, SCHEDULE, tmp_path / "plain", RecordedReport())
    assert torch.equal(weights(ahead), weights(plain))


def test_a_failure_while_drawing_ahead_ends_the_training(tmp_path):
    def failing(step, micro, g):
        if step == 5:
            raise Interrupted
        return draw(step, micro, g)

    with pytest.raises(Interrupted):
        train(network(), Objective(failing, loss), replace(SCHEDULE, ahead=2), tmp_path, RecordedReport())


class Interrupted(Exception):
    pass


@pytest.mark.parametrize("frozen", [False, True])
def test_an_interrupted_run_ends_with_the_weights_of_an_uninterrupted_one(tmp_path, frozen):
    def fresh() -> nn.Module:
        model = network()
        model[0].requires_grad_(not frozen)
        return model

    whole = train(fresh(), OBJECTIVE, SCHEDULE, tmp_path / "whole", RecordedReport())

    def failing(step, micro, g):
        if step == 9:  # after the checkpoint of step 8
            raise Interrupted
        return draw(step, micro, g)

    with pytest.raises(Interrupted):
        train(fresh(), Objective(failing, loss), SCHEDULE, tmp_path / "parts", RecordedReport())
    told = RecordedReport()
    resumed = train(fresh(), OBJECTIVE, SCHEDULE, tmp_path / "parts", told)
    assert told.lines[0] == "parts: resumed at step 8"
    assert torch.equal(weights(whole), weights(resumed))
    assert torch.equal(whole[0].weight, network()[0].weight) is frozen


def test_a_batch_in_parts_gives_the_mean_gradient(tmp_path):
    """Two parts of two examples are one of four, where the parts see the same examples."""
    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(1))
    halves = Objective(lambda step, micro, g: x[2 * micro : 2 * micro + 2], loss)
    parts = train(network(), halves, replace(SCHEDULE, micro=2), tmp_path / "parts", RecordedReport())
    whole = train(network(), Objective(lambda step, micro, g: x, loss), SCHEDULE, tmp_path / "whole", RecordedReport())
    assert torch.allclose(weights(parts), weights(whole), atol=1e-6)


def test_the_terms_of_a_batch_are_averaged(tmp_path):
    """Two losses, each with a graph of its own, against their mean in one."""

    def one(model, x, term):
        return (model(x) - term).square().mean(), {}

    def both(model, x, term):
        return (one(model, x, 0)[0] + one(model, x, 1)[0]) / 2, {}

    apart = train(network(), Objective(draw, one, terms=2), SCHEDULE, tmp_path / "apart", RecordedReport())
    together = train(network(), Objective(draw, both), SCHEDULE, tmp_path / "together", RecordedReport())
    assert torch.allclose(weights(apart), weights(together), atol=1e-6)


def test_each_part_of_a_batch_has_random_numbers_of_its_own(tmp_path):
    seen = []

    def watched(step, micro, g):
        seen.append((step, micro, float(torch.rand((), generator=g))))
        return draw(step, micro, g)

    train(network(), Objective(watched, loss), replace(SCHEDULE, micro=1), tmp_path, RecordedReport())
    assert [(s, m) for s, m, _ in seen] == [(s, m) for s in range(12) for m in range(4)]
    assert len({value for *_, value in seen}) == 48


@pytest.mark.parametrize(("batch", "micro", "world"), [(6, 4, 1), (6, 2, 2), (5, None, 2)])
def test_a_batch_that_processes_cannot_share_is_refused(batch, micro, world):
    with pytest.raises(UsageError, match=f"batch of {batch}"):
        replace(SCHEDULE, batch=batch, micro=micro).shared(world)


@pytest.mark.parametrize(("micro", "world", "share"), [(None, 1, 4), (None, 2, 2), (None, 4, 1), (1, 2, 1), (4, 1, 4)])
def test_processes_share_a_batch(micro, world, share):
    assert replace(SCHEDULE, micro=micro).shared(world).micro_batch == share


def test_the_averaged_weights_lag_and_without_averaging_the_last_ones_are_kept(tmp_path):
    last = train(network(), OBJECTIVE, replace(SCHEDULE, ema=0.0), tmp_path / "last", RecordedReport())
    averaged = train(network(), OBJECTIVE, replace(SCHEDULE, ema=0.995), tmp_path / "averaged", RecordedReport())
    start = weights(network())
    assert (weights(averaged) - start).norm() < (weights(last) - start).norm()
    state = torch.load(tmp_path / "last" / "checkpoint.pt", weights_only=True)
    assert torch.equal(weights(last), torch.cat([t.flatten() for t in state["model"].values()]))


def test_pictures_are_of_the_averaged_weights_and_leave_training_alone(tmp_path):
    model, seen = network(), []

    def picture():
        assert not model.training
        seen.append(weights(model))
        return torch.full((3, 2, 5), 0.5)

    schedule = replace(SCHEDULE, picture_every=6)
    shown = train(model, Objective(draw, loss, picture=picture), schedule, tmp_path / "shown", RecordedReport())
    plain = train(network(), OBJECTIVE, SCHEDULE, tmp_path / "plain", RecordedReport())
    assert torch.equal(weights(shown), weights(plain))
    assert torch.equal(seen[-1], weights(shown))
    pictures = sorted((tmp_path / "shown" / "pictures").iterdir())
    assert [p.name for p in pictures] == ["0000006.png", "0000012.png"]
    assert np.asarray(Image.open(pictures[0])).shape == (2, 5, 3)


def test_tensorboard_gets_figures_and_pictures(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    objective = Objective(draw, loss, picture=lambda: torch.zeros(3, 4, 4))
    train(network(), objective, replace(SCHEDULE, picture_every=12), tmp_path, RecordedReport(), tensorboard=True)
    events = EventAccumulator(str(tmp_path)).Reload()
    logged = [json.loads(line)["mse"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [e.value for e in events.Scalars("mse")] == pytest.approx(logged)
    assert [e.step for e in events.Images("validation")] == [12]


def test_the_rate_warms_up_and_falls():
    schedule = Schedule(steps=100, lr=1, warmup=0.1)
    rates = [learning_rate(s, schedule) for s in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == 1
    assert rates[9:] == sorted(rates[9:], reverse=True)
    assert rates[-1] < 0.02


def test_a_constant_rate_is_constant_after_the_warm_up():
    schedule = Schedule(steps=100, lr=1, warmup=0.0, decay="constant")
    assert {learning_rate(s, schedule) for s in range(100)} == {1.0}
    warmed = [learning_rate(s, replace(schedule, warmup=0.1)) for s in range(100)]
    assert warmed[:10] == pytest.approx([0.1 * s for s in range(1, 11)])
    assert set(warmed[10:]) == {1.0}
