"""The segmenter learns alpha from views as users take them."""

import json

import numpy as np
import torch
from test_stages import published_backbone
from training_packs import stage
from typer.testing import CliRunner

from omnialpha_cli.cli.main import app
from omnialpha_cli.lab.data.sources import Picture
from omnialpha_cli.lab.train.material import Material
from omnialpha_cli.lab.train.segmenter import MIX, objective_of
from omnialpha_cli.lab.train.triplets import Mix, close_up, draw_triplet
from omnialpha_cli.model.mini.segmenter import Segmenter

RECIPE = f"""
[segmenter]
sources = {{ photos = 2.0 }}
{stage("segmenter", steps=2, batch=2)}lr_scale = {{ "backbone" = 0.2 }}
"""
SIZE = (64, 64)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def picture(source: str, value: int) -> Picture:
    rgba = np.full((80, 80, 4), value, np.uint8)
    rgba[..., 3] = 0
    rgba[20:60, 20:60, 3] = 255
    return Picture(source, rgba, source=source)


def test_two_steps_from_several_packs_leave_its_file(packs, tmp_path):
    (tmp_path / "r.toml").write_text(RECIPE)
    torch.save(published_backbone("lite2"), tmp_path / "lite2.pth")
    places = [f"--{name}={packs[name]}" for name in ("photos", "photos", "cutouts", "backgrounds")]
    run = "--run", tmp_path / "run", "--backbone", tmp_path / "lite2.pth"
    arguments = ["train", "segmenter", tmp_path / "r.toml", *places, *run]
    result = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    Segmenter().load_state_dict(torch.load(tmp_path / "run/segmenter.pt", weights_only=True))
    figures = [json.loads(line) for line in (tmp_path / "run/segmenter-1/log.jsonl").read_text().splitlines()]
    assert figures[-1]["step"] == 2 and figures[-1]["mse"] > 0


def test_another_backbone_is_named(packs, tmp_path):
    (tmp_path / "r.toml").write_text(RECIPE)
    torch.save(published_backbone("lite0"), tmp_path / "lite0.pth")
    arguments = ["train", "segmenter", tmp_path / "r.toml", "--photos", packs["photos"], "--run", tmp_path / "run"]
    arguments += ["--backbone", tmp_path / "lite0.pth"]
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert "lite0.pth is not EfficientNet-Lite2" in str(result.exception)


def test_a_close_up_shows_a_part_of_the_subject_and_of_what_is_around_it():
    planes = picture("a", 50).planes()
    for seed in range(10):
        part = close_up(planes, generator(seed))
        assert 80 / 2.3 < part.shape[0] < 80 / 1.25 and part.shape[2] == 5
        assert 0.02 < (part[..., 3] > 127).mean() < 0.93
    nothing = planes.copy()
    nothing[..., 3] = 0
    assert close_up(nothing, generator()).shape == planes.shape


def test_photographs_are_drawn_by_their_sources():
    photos = [picture("dark", 0), picture("light", 250)]
    mix = Mix(photo=1, recomposed=0, cutout=0, sources=(("dark", 0.0), ("light", 3.0)))
    material = Material(photos, [], [], [])
    values = [draw_triplet(material, mix, SIZE, generator(seed)).foreground[:3].mean() for seed in range(8)]
    assert min(values) > 0.1


def test_both_of_two_objects_are_in_the_foreground_before_a_plain_wall():
    wall = Material([picture("a", 0)], [picture("a", 0)], [], [])
    one, both = (
        sum(
            float(draw_triplet(wall, Mix(photo=0, plain=1, both=chance), SIZE, generator(seed)).foreground[3].sum())
            for seed in range(8)
        )
        for chance in (0.0, 1.0)
    )
    assert both > 1.2 * one
    background = draw_triplet(wall, Mix(photo=0, plain=1), SIZE, generator()).background
    assert float(background.std((1, 2)).max()) < 0.3


def test_the_same_step_draws_the_same_scenes(material):
    from omnialpha_cli.lab.train.loop import Schedule

    schedule = Schedule(steps=1, lr=1e-3, batch=2, size=64)
    training = objective_of(material, {}, lambda height, width, side: (side, side), torch.device("cpu"), schedule)
    first, second = (training.draw(0, 0, generator(3)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first[1:], second[1:], strict=True))
    assert first[1].shape == (2, 3, 64, 64) and first[2].shape == first[3].shape == (2, 1, 64, 64)
    assert MIX.close > 0
