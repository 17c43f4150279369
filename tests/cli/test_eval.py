"""`omnialpha eval` on small packs."""

import json
import shutil
import sys

import pytest
from training_packs import disc, encoded, index, write_tar

from omnialpha_cli.media.read import read_image

HELD_OUT = ("matting", "removal", "decomposition", "referring")
FIRST = {"matting": "mse", "removal": "psnr_hole", "decomposition": "soft_iou", "referring": "soft_iou"}


@pytest.fixture(scope="module")
def packs(tmp_path_factory):
    files, rows, folder = {}, [], tmp_path_factory.mktemp("packs")
    for i, label in enumerate(("ball", "sun", "dot")):
        rgba = disc(40 + 8 * i, i)
        files[f"p{i}.jpg"], files[f"p{i}.png"] = encoded(rgba[..., :3], "JPEG"), encoded(rgba[..., 3], "PNG")
        rows.append([f"p{i}", label, 1.0, "val"])
    files["index.csv"] = index(["name", "label", "confidence", "split"], rows)
    cutouts = {"c.webp": encoded(disc(40, 5), "WEBP"), "index.csv": index(["file", "label"], [["c.webp", "plate"]])}
    return write_tar(folder / "photos.tar", files), write_tar(folder / "cutouts.tar", cutouts)


def packs_of(task, packs):
    return packs if task == "referring" else packs[:1]


@pytest.mark.parametrize("task", HELD_OUT)
def test_records_hold_every_picture_and_their_summary(run, packs, task):
    result = run("eval", task, *packs_of(task, packs), "--json", "--limit", 2)
    assert result.code == 0, result.err
    *items, summary = map(json.loads, result.lines)
    assert [item["event"] for item in items] == [f"eval.{task}.item"] * 2
    assert summary["event"] == f"eval.{task}"
    first = [item["scores"][FIRST[task]] for item in items]
    assert summary["scores"][FIRST[task]] == {
        "mean": pytest.approx(sum(first) / 2),
        "median": pytest.approx(sum(first) / 2),
        "count": 2,
    }
    assert all(item["height"] >= 40 and item["width"] >= 40 for item in items)


@pytest.mark.parametrize("task", HELD_OUT)
def test_the_same_command_gives_the_same_figures(run, packs, task):
    command = ("eval", task, *packs_of(task, packs), "--json", "--limit", 2, "--canvas", 64)
    assert run(*command).out == run(*command).out


def test_a_table_has_means_medians_and_baselines_and_the_size(run, packs):
    result = run("eval", "removal", packs[0], "--hint", "rough-mask", "--limit", 1)
    assert result.code == 0, result.err
    assert "PSNR in the hole" in result.out
    assert "median" in result.out
    assert "border-mean" in result.out
    assert "hint rough-mask" in result.out
    assert "1 pictures of" in result.out


def test_the_worst_are_drawn(run, packs, tmp_path):
    worst = tmp_path / "worst.png"
    assert run("eval", "matting", packs[0], "--worst", worst).code == 0
    assert read_image(worst).size == (3 * 240, 5 * 240)


def test_without_opencv_the_missing_baseline_is_told(run, packs, monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    result = run("eval", "removal", packs[0], "--limit", 1)
    assert result.code == 0
    assert "Telea" in result.err
    assert "pip install" in result.err
    assert "telea" not in result.out


def test_a_task_that_the_weights_do_not_know_is_judged_with_a_warning(omnialpha, packs, tiny_weights, tmp_path):
    weights = shutil.copytree(tiny_weights, tmp_path / "weights")
    config = json.loads((weights / "config.json").read_text())
    (weights / "config.json").write_text(json.dumps(config | {"tasks": ["matte.auto"]}))
    result = omnialpha("eval", "decomposition", packs[0], "--model", weights, "--limit", 1, "--hint", "trimap")
    assert result.code == 0, result.err
    assert "was not trained for decompose.trimap" in result.err
    assert "soft IoU" in result.out


def test_without_pillow_the_extra_is_named(run, packs, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    for module in [m for m in sys.modules if m.startswith(("omnialpha_cli.training", "omnialpha_cli.evaluation"))]:
        monkeypatch.delitem(sys.modules, module)
    result = run("eval", "matting", packs[0])
    assert result.code == 2
    assert "omnialpha[train]" in result.err
