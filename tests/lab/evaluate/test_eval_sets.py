"""`omnialpha eval generation` and `eval vae`, and measures that need networks of others."""

import json
import sys

import numpy as np
import pytest
from PIL import Image
from training_packs import disc, encoded, index, write_tar

from omnialpha_cli.lab.evaluate import backbones

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch, tmp_path):
    for package in ("lpips", "torch_fidelity"):
        monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.fixture
def folders(tmp_path):
    """Discs, named as `omnialpha generate` names its results, and the same with less alpha."""
    for i in range(4):
        truth = disc(40 + 4 * i, i)
        found = truth.copy()
        found[..., 3] = found[..., 3] * (1 - i / 4)  # worse from picture to picture
        for name, pixels in {"truth": truth, "found": found}.items():
            (tmp_path / name).mkdir(exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / name / f"{i:04}_0.png")
    (tmp_path / "prompts.txt").write_text("a ball\na sun\na dot\na plate\n")
    return tmp_path / "found", tmp_path / "truth", tmp_path / "prompts.txt"


@pytest.fixture
def packs(tmp_path):
    photo = disc(48, 0)
    photos = {
        "p.jpg": encoded(photo[..., :3], "JPEG"),
        "p.png": encoded(photo[..., 3], "PNG"),
        "index.csv": index(["name", "label", "confidence", "split"], [["p", "ball", 1.0, "val"]]),
    }
    cutouts = {f"{i}.webp": encoded(disc(40, i), "WEBP") for i in range(3)}
    cutouts["index.csv"] = index(["file", "label"], [["0.webp", "disc"], ["1.webp", "egg"], ["2.webp", "sun"]])
    return write_tar(tmp_path / "photos.tar", photos), write_tar(tmp_path / "cutouts.tar", cutouts)


@pytest.fixture
def clip(monkeypatch):
    """Stands in for CLIP: how red a picture is, whatever the words."""
    monkeypatch.setattr(
        backbones.Clip, "load", lambda name, device: lambda pictures, words: float(pictures[..., 0].mean())
    )


def records(outcome):
    assert outcome.code == 0, outcome.err
    *items, summary = map(json.loads, outcome.lines)
    return items, summary


class TestGeneration:
    def test_a_folder_is_judged_as_a_set_and_by_its_words(self, omnialpha, folders, clip, tmp_path):
        found, truth, prompts = folders
        arguments = ("eval", "generation", "--predictions", found, "--truth", truth, "--prompts", prompts)
        items, summary = records(omnialpha(*arguments, "--json"))
        assert items[0]["name"] == "0000_0: a ball"
        assert list(items[0]["scores"]) == ["clip", "nearest"]
        assert items[0]["scores"]["nearest"] < 1e-4 < items[3]["scores"]["nearest"]
        assert summary["set"] == {} and summary["truth"] == 4  # without FID's network
        page = tmp_path / "page.html"
        outcome = omnialpha(*arguments, "--report", page)
        assert "CLIP score" in outcome.out
        assert "left out: FID needs torch-fidelity" in outcome.err
        text = page.read_text(encoding="utf-8")
        assert text.count("data:image/jpeg") == 4 * 2 and "nearest truth" in text

    def test_words_alone_are_enough_where_clip_is(self, omnialpha, folders, clip):
        arguments = ("eval", "generation", "--predictions", folders[0], "--prompts", folders[2], "--json")
        items, summary = records(omnialpha(*arguments))
        assert summary["set"] == {} and list(items[0]["scores"]) == ["clip"]

    def test_without_clip_and_without_truth_there_is_nothing_to_tell(self, omnialpha, folders):
        outcome = omnialpha("eval", "generation", "--predictions", folders[0], "--prompts", folders[2])
        assert (outcome.code, outcome.out) == (2, "")
        assert "hf download openai/clip-vit-base-patch32" in outcome.err and "--truth" in outcome.err

    @pytest.mark.parametrize(("measure", "code", "says"), [("fid", 2, "omnialpha[judge]"), ("clip", 4, "hf download")])
    def test_a_measure_that_is_required_and_not_there_ends_the_command(self, omnialpha, folders, measure, code, says):
        found, truth, prompts = folders
        arguments = ("eval", "generation", "--predictions", found, "--truth", truth, "--prompts", prompts)
        outcome = omnialpha(*arguments, "--require", measure)
        assert (outcome.code, outcome.out) == (code, "")
        assert says in outcome.err.splitlines()[-1]

    def test_a_measure_needs_what_it_is_taken_against(self, omnialpha, folders, clip):
        for given, place, measure, missing in (
            ("--truth", folders[1], "clip", "--prompts"),
            ("--prompts", folders[2], "fid", "--truth"),
        ):
            outcome = omnialpha("eval", "generation", "--predictions", folders[0], given, place, "--require", measure)
            assert outcome.code == 2 and outcome.err == f"omnialpha: --require {measure} needs {missing}\n"

    def test_a_measure_that_the_command_does_not_give_is_refused(self, omnialpha, folders):
        found, truth, _ = folders
        for command, measure in (("generation", "lpips"), ("vae", "clip"), ("removal", "fid")):
            arguments = ("--predictions", found, "--truth", truth, "--require", measure)
            outcome = omnialpha("eval", command, *arguments)
            assert outcome.code == 2 and f"`omnialpha eval {command}` gives" in outcome.err

    def test_a_picture_without_a_prompt_fails_alone(self, omnialpha, folders, clip):
        found, _, prompts = folders
        prompts.write_text("a ball\n")
        outcome = omnialpha("eval", "generation", "--predictions", found, "--prompts", prompts)
        assert outcome.code == 1 and outcome.err.count("no prompt for") == 3

    def test_a_true_picture_that_cannot_be_read_fails_alone(self, omnialpha, folders):
        (folders[1] / "torn.png").write_bytes(b"torn")
        outcome = omnialpha("eval", "generation", "--predictions", folders[0], "--truth", folders[1], "--json")
        assert outcome.code == 1 and "torn.png" in outcome.err
        assert json.loads(outcome.lines[-1])["truth"] == 4

    def test_a_model_makes_what_the_cut_outs_are_called(self, run, packs):
        items, summary = records(run("eval", "generation", packs[1], "--canvas", 64, "--json"))
        assert [item["name"] for item in items] == ["0: disc", "1: egg"]  # not sun, which training sees
        assert summary["truth"] == 2

    def test_a_model_makes_what_prompts_say(self, run, folders, clip):
        arguments = ("--prompts", folders[2], "--truth", folders[1], "--canvas", 64, "--limit", 2, "--json")
        items, summary = records(run("eval", "generation", *arguments))
        assert [item["name"] for item in items] == ["0000: a ball", "0001: a sun"]
        assert list(items[0]["scores"]) == ["clip", "nearest"]
        assert items[0]["scores"]["clip"] != items[1]["scores"]["clip"]  # of other seeds
        assert summary["truth"] == 4 and summary["model"]

    def test_a_pack_or_a_folder_not_both_and_not_neither(self, omnialpha, folders, packs):
        for arguments in ([], [packs[1], "--predictions", folders[0]], [packs[1], "--truth", folders[1]],
                          ["--predictions", folders[0]]):  # fmt: skip
            outcome = omnialpha("eval", "generation", *arguments)
            assert outcome.code == 2 and len(outcome.err.splitlines()) == 1


class TestVAE:
    def test_folders_are_judged_over_backgrounds_and_alone(self, omnialpha, folders, tmp_path):
        page = tmp_path / "page.html"
        arguments = ("eval", "vae", "--predictions", folders[0], "--truth", folders[1])
        items, summary = records(omnialpha(*arguments, "--report", page, "--json"))
        assert items[0]["scores"]["mad_alpha"] < 0.01 < items[3]["scores"]["mad_alpha"]
        assert list(summary["scores"]) == [
            "psnr_composite", "ssim_composite", "l1_composite", "features_composite", "psnr_colour", "psnr_alpha",
            "mad_alpha",
        ]  # fmt: skip
        text = page.read_text(encoding="utf-8")
        assert text.index("<td>0003_0</td>") < text.index("<td>0000_0</td>")

    def test_a_model_gives_back_the_pictures_of_a_folder_or_a_pack(self, run, folders, packs):
        for arguments in (["--truth", folders[1], "--limit", 2], [packs[0]]):
            items, summary = records(run("eval", "vae", *arguments, "--canvas", 64, "--json"))
            assert summary["width"] == summary["height"] == 64
            assert all(item["scores"]["psnr_alpha"] > 0 for item in items)

    def test_the_better_of_two_is_found_as_for_other_results(self, omnialpha, folders):
        found, truth, _ = folders
        outcome = omnialpha("eval", "compare", found, truth, "--truth", truth, "--task", "vae", "--json")
        _, summary = records(outcome)
        assert summary["scores"]["psnr_alpha"]["difference"]["estimate"] > 0
        assert summary["scores"]["mad_alpha"]["b"] == 0

    def test_two_models_give_back_the_same_pictures(self, omnialpha, packs, tiny_weights):
        arguments = ("--photos", packs[0], "--task", "vae", "--canvas", 64, "--json")
        _, summary = records(omnialpha("eval", "compare", tiny_weights, tiny_weights, *arguments))
        assert summary["scores"]["psnr_composite"]["difference"]["estimate"] == 0

    def test_what_does_not_go_together_is_refused(self, omnialpha, folders, packs):
        for arguments in ([], [packs[0], "--truth", folders[1]], [packs[0], "--predictions", folders[0]]):
            assert omnialpha("eval", "vae", *arguments).code == 2


class TestLPIPS:
    def test_it_takes_the_place_of_the_feature_distance(self, omnialpha, folders, monkeypatch):
        class Known:
            metric = "lpips"

            def __call__(self, a, b):
                return float(np.abs(a - b).mean())

        monkeypatch.setattr(backbones.LPIPS, "load", lambda device: Known())
        for task, name in {"removal": "lpips", "vae": "lpips_composite"}.items():
            _, summary = records(omnialpha("eval", task, "--predictions", folders[0], "--truth", folders[1], "--json"))
            assert name in summary["scores"] and not any(score.startswith("features") for score in summary["scores"])

    def test_without_it_the_distance_is_called_what_it_is(self, omnialpha, folders):
        arguments = ("eval", "removal", "--predictions", folders[0], "--truth", folders[1])
        outcome = omnialpha(*arguments)
        assert "distance of image features" in outcome.out and "left out: LPIPS needs lpips" in outcome.err
        assert omnialpha(*arguments, "--require", "lpips").code == 2
