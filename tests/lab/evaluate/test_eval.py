"""`omnialpha eval` on small packs."""

import json
import shutil
import sys

import numpy as np
import pytest
from documented import FIELDS
from greys import write_grey
from PIL import Image
from training_packs import disc, encoded, index, write_tar

from omnialpha_cli.media.read import read_image

pytestmark = pytest.mark.slow

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
    cutouts = {"c.webp": encoded(disc(40, 5), "WEBP"), "index.csv": index(["file", "label"], [["c.webp", "disc"]])}
    return write_tar(folder / "photos.tar", files), write_tar(folder / "cutouts.tar", cutouts)


def packs_of(task, packs):
    return packs if task == "referring" else packs[:1]


@pytest.mark.parametrize("task", HELD_OUT)
def test_records_hold_every_picture_and_their_summary(run, packs, task):
    result = run("eval", task, *packs_of(task, packs), "--json", "--limit", 2)
    assert result.code == 0, result.err
    *items, summary = map(json.loads, result.lines)
    assert [item["event"] for item in items] == [f"eval.{task}.item"] * 2
    assert all(item.keys() == {"schema", "event", *FIELDS["eval.TASK.item"]} for item in items)
    assert summary["event"] == f"eval.{task}"
    first = [item["scores"][FIRST[task]] for item in items]
    assert summary["scores"][FIRST[task]] == {
        "mean": pytest.approx(sum(first) / 2),
        "median": pytest.approx(sum(first) / 2),
        "count": 2,
    }
    assert all(item["height"] >= 40 and item["width"] >= 40 for item in items)


def test_a_model_is_judged_on_a_benchmark_in_its_own_folders(run, tmp_path):
    rgba = disc(48, 0)
    for place, pixels in {"AIM-500/original/p.jpg": rgba[..., :3], "AIM-500/mask/p.png": rgba[..., 3]}.items():
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / place)
    result = run("eval", "matting", tmp_path / "AIM-500", "--json")
    assert result.code == 0, result.err
    assert json.loads(result.lines[-1])["count"] == 1


@pytest.mark.parametrize("task", HELD_OUT)
def test_a_pack_that_training_sees_whole_is_refused(run, packs, tmp_path, task):
    rgba = disc(48, 0)
    files = {"p.jpg": encoded(rgba[..., :3], "JPEG"), "p.png": encoded(rgba[..., 3], "PNG")}
    seen = write_tar(tmp_path / "seen.tar", files)
    result = run("eval", task, seen, *packs_of(task, packs)[1:])
    assert result.code == 2 and result.err.endswith(
        "seen.tar holds no photographs that are held out from training: name a folder above them val, or say so in "
        "index.csv, in a column split\n"
    )


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
    assert "1 picture of" in result.out


def test_the_worst_are_drawn(run, packs, tmp_path):
    worst = tmp_path / "worst.png"
    assert run("eval", "matting", packs[0], "--worst", worst).code == 0
    assert read_image(worst).size == (3 * 240, 5 * 240)


def test_the_worst_are_a_png_by_name(run, packs, tmp_path):
    result = run("eval", "matting", packs[0], "--worst", tmp_path / "worst.jpg")
    assert result.code == 2 and "worst.jpg" in result.err and "name it .png" in result.err
    assert not (tmp_path / "worst.jpg").exists()


def test_without_opencv_the_missing_baseline_is_reported(run, packs, monkeypatch):
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


@pytest.fixture
def folders(tmp_path):
    alpha = np.linspace(0, 1, 96, dtype=np.float32).reshape(8, 12)
    for name, error in {"a": 0.1, "b": 0.3, "c": 0.0}.items():
        write_grey(tmp_path / f"truth/{name}.png", alpha)
        write_grey(tmp_path / f"found/{name}.png", np.clip(alpha + error, 0, 1))
    return tmp_path / "found", tmp_path / "truth"


def test_a_folder_of_results_is_judged_with_a_page(omnialpha, folders, tmp_path):
    page = tmp_path / "report.html"
    result = omnialpha("eval", "matting", "--predictions", folders[0], "--truth", folders[1], "--report", page)
    assert result.code == 0, result.err
    assert "SAD (thousands)" in result.out
    assert "12×8" in result.out
    text = page.read_text(encoding="utf-8")
    assert text.index("<td>b</td>") < text.index("<td>a</td>") < text.index("<td>c</td>")
    assert text.count("data:image/jpeg") == 3 * 4 and ">source<" not in text  # which nobody has given


@pytest.fixture
def scenes(tmp_path):
    """Discs: pictures, and what a matte, a removal and a decomposition ought to be."""
    for i in range(2):
        rgba = disc(40 + 8 * i, i)
        background = np.full_like(rgba[..., :3], (30, 140, 60))
        for place, pixels in {
            f"photos/{i}.jpg": rgba[..., :3], f"mattes/{i}.png": rgba[..., 3], f"plates/{i}.png": background,
            f"layers/{i}_background.png": background, f"layers/{i}_foreground.png": rgba,
        }.items():  # fmt: skip
            (tmp_path / place).parent.mkdir(exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / place)
    return tmp_path


@pytest.mark.parametrize(
    ("task", "truth", "hint"),
    [
        ("matting", "mattes", "none"),
        ("matting", "mattes", "trimap"),
        ("removal", "plates", "mask"),
        ("decomposition", "layers", "none"),
        ("decomposition", "layers", "mask"),
    ],
)
def test_a_model_is_judged_on_the_pictures_of_a_folder(run, scenes, task, truth, hint):
    told = [] if hint == "none" else ["--trimaps", scenes / "mattes"]
    arguments = ("--sources", scenes / "photos", "--truth", scenes / truth, "--hint", hint, *told)
    result = run("eval", task, *arguments, "--canvas", 64, "--json")
    assert result.code == 0, result.err
    *items, summary = map(json.loads, result.lines)
    assert [item["name"] for item in items] == ["0", "1"] and summary["hint"] == hint
    made = {"matting": "matte", "removal": "remove", "decomposition": "decompose"}[task]
    hints = [] if hint == "none" else [f"--{hint}", scenes / "mattes"]
    assert run(made, scenes / "photos", "-o", scenes / "made", "--canvas", 64, *hints).code == 0
    again = run("eval", task, "--predictions", scenes / "made", "--truth", scenes / truth, "--json", "--sources",
                scenes / "photos")  # fmt: skip
    scores = [json.loads(line)["scores"] for line in again.lines[:2]]
    for item, known in zip(items, scores, strict=True):
        assert {name: item["scores"][name] for name in known} == pytest.approx(known, rel=1e-3, abs=1e-3)


def test_a_hint_for_the_pictures_of_a_folder_is_in_a_folder_too(run, scenes):
    result = run("eval", "removal", "--sources", scenes / "photos", "--truth", scenes / "plates")
    assert result.code == 2 and "--hint mask needs --trimaps" in result.err


def test_a_missing_result_fails_and_the_others_are_judged(omnialpha, folders):
    (folders[0] / "b.png").unlink()
    result = omnialpha("eval", "matting", "--predictions", folders[0], "--truth", folders[1], "--json")
    assert result.code == 1
    assert "failed:" in result.err and " b:" in result.err
    *items, summary = map(json.loads, result.lines)
    assert [item["event"].rpartition(".")[2] for item in items] == ["item", "failed", "item"]
    assert items[1]["code"] == "missing"
    assert (summary["count"], summary["failed"]) == (2, 1)


def test_no_result_at_all(omnialpha, folders, tmp_path):
    (tmp_path / "empty").mkdir()
    result = omnialpha("eval", "matting", "--predictions", tmp_path / "empty", "--truth", folders[1])
    assert result.code == 1
    assert result.out == ""
    assert "no picture could be judged" in result.err


def test_a_folder_or_a_pack_not_both_and_not_neither(omnialpha, folders, packs):
    found, truth = ["--predictions", folders[0]], ["--truth", folders[1]]
    for arguments in ([], [packs[0], *found, *truth], [packs[0], *truth]):
        result = omnialpha("eval", "matting", *arguments)
        assert result.code == 2
        assert "either" in result.err


def test_a_folder_needs_the_truth(omnialpha, folders):
    result = omnialpha("eval", "removal", "--predictions", folders[0])
    assert result.code == 2
    assert "--truth" in result.err


def test_layers_take_no_trimaps(omnialpha, folders):
    arguments = ("--predictions", folders[0], "--truth", folders[1], "--trimaps", folders[1])
    result = omnialpha("eval", "decomposition", *arguments)
    assert result.code == 2
    assert "--trimaps" in result.err


def test_removal_in_folders_has_the_feature_distance(omnialpha, folders):
    result = omnialpha("eval", "removal", "--predictions", folders[0], "--truth", folders[1], "--json")
    summary = json.loads(result.lines[-1])
    assert list(summary["scores"]) == ["psnr", "ssim", "features"]


def test_two_folders_are_compared_with_intervals_and_a_page(omnialpha, folders, tmp_path):
    for name in "abc":
        write_grey(tmp_path / f"better/{name}.png", read_image(folders[1] / f"{name}.png").rgb[..., 0])
    page = tmp_path / "report.html"
    arguments = ("eval", "compare", folders[0], tmp_path / "better", "--truth", folders[1])
    result = omnialpha(*arguments, "--report", page)
    assert result.code == 0, result.err
    assert "95 % interval" in result.out
    assert "too few" in result.err
    text = page.read_text(encoding="utf-8")
    assert "A: result" in text and "B: result" in text
    assert text.count("data:image/jpeg") == 3 * (1 + 2 * 3 + 1)
    assert "B − A: matte" in text and "12×8" in result.out
    *items, summary = map(json.loads, omnialpha(*arguments, "--json").lines)
    assert [item["name"] for item in items] == ["a", "b", "c"]
    assert all(one.keys() == {"schema", "event", *FIELDS[one["event"]]} for one in (*items, summary))
    assert summary["scores"]["mse"]["b"] == 0
    assert summary["scores"]["mse"]["difference"]["estimate"] == pytest.approx(-summary["scores"]["mse"]["a"])


def test_two_models_are_compared_on_the_same_pictures(omnialpha, packs, tiny_weights):
    arguments = ("--photos", packs[0], "--task", "decomposition", "--limit", 2, "--canvas", 64, "--json")
    result = omnialpha("eval", "compare", tiny_weights, tiny_weights, *arguments)
    assert result.code == 0, result.err
    *items, summary = map(json.loads, result.lines)
    assert len(items) == 2
    assert all(item["a"] == item["b"] for item in items)
    assert {one["better"] for one in summary["scores"].values()} == {"open"}


def test_a_comparison_needs_the_truth_or_a_pack(omnialpha, folders):
    result = omnialpha("eval", "compare", *folders)
    assert result.code == 2
    assert "--photos" in result.err


def test_a_preference_page_is_made_and_its_choices_are_added_up(omnialpha, folders, tmp_path):
    page = tmp_path / "preference.html"
    result = omnialpha("eval", "preference", *folders, "--sources", folders[1], "--page", page, "--limit", 2)
    assert result.code == 0, result.err
    assert result.lines == [str(page)]
    text = page.read_text(encoding="utf-8")
    assert text.count("data:image/jpeg") == 2 * 3
    data = json.loads(text.split('type="application/json">')[1].split("</script>")[0])
    made = [{"token": trial["token"], "choice": "tie"} for trial in data["trials"]]
    saved = {"schema": "omnialpha-choices/1", "about": data["about"], "choices": made}
    (tmp_path / "choices.json").write_text(json.dumps(saved))
    result = omnialpha("eval", "preference", "--summary", tmp_path / "choices.json")
    assert result.code == 0, result.err
    assert "50.0% of 2" in result.out
    assert str(folders[0]) in result.out
    (told,) = map(json.loads, omnialpha("eval", "preference", "--summary", tmp_path / "choices.json", "--json").lines)
    assert told.keys() == {"schema", "event", *FIELDS["eval.preference"]} and told["ties"] == 2


def test_a_preference_needs_folders_or_choices(omnialpha, folders):
    for arguments in ([], [folders[0]], [*folders, "--summary", "x.json"]):
        result = omnialpha("eval", "preference", *arguments)
        assert result.code == 2
        assert "--summary" in result.err
