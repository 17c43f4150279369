"""The loop: it learns, it resumes to the same weights, it logs."""

import json
from dataclasses import replace

import pytest
import torch
from torch import nn

from omnialpha_cli.training.loop import Schedule, learning_rate, train

SCHEDULE = Schedule(steps=12, lr=1e-2, batch=4, save_every=4, log_every=4, bf16=False, lr_scale=(("0.", 0.5),))


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))


def loss(model, step, g):
    x = torch.randn(4, 3, generator=g)
    value = (model(x) - x.sum(1, keepdim=True)).square().mean()
    return value, {"mse": float(value.detach())}


def test_it_learns_and_logs(tmp_path):
    said = []
    train(network(), loss, replace(SCHEDULE, steps=200, log_every=50), tmp_path / "net", said.append)
    log = [json.loads(line) for line in (tmp_path / "net" / "log.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in log] == [50, 100, 150, 200]
    assert log[-1]["mse"] < 0.3 * log[0]["mse"]
    assert len(said) == 4


def test_an_interrupted_run_ends_with_the_weights_of_an_uninterrupted_one(tmp_path):
    whole = train(network(), loss, SCHEDULE, tmp_path / "whole", lambda _: None)

    class Interrupted(Exception):
        pass

    def failing(model, step, g):
        if step == 9:  # after the checkpoint of step 8
            raise Interrupted
        return loss(model, step, g)

    with pytest.raises(Interrupted):
        train(network(), failing, SCHEDULE, tmp_path / "parts", lambda _: None)
    resumed = train(network(), loss, SCHEDULE, tmp_path / "parts", lambda _: None)
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)


def test_the_rate_warms_up_and_falls():
    schedule = Schedule(steps=100, lr=1, warmup=0.1)
    rates = [learning_rate(s, schedule) for s in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == 1
    assert rates[9:] == sorted(rates[9:], reverse=True)
    assert rates[-1] < 0.02
