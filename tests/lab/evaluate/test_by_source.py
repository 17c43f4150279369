"""IoU, haze and what is kept, over all and by source; hard masks judged where they are sure."""

import json

import numpy as np
import pytest
from documented import FIELDS
from training_packs import encoded, index, write_tar

from omnialpha_cli.lab.data.sources import mask_weights
from omnialpha_cli.lab.evaluate import metrics
from omnialpha_cli.lab.evaluate.commands.options import ShowOptions
from omnialpha_cli.lab.evaluate.commands.show import WORST_SHOWN, by_source, show
from omnialpha_cli.lab.evaluate.judge import Judged, judge_matte


def square(size: int = 96, margin: int = 24) -> np.ndarray:
    alpha = np.zeros((size, size), np.float32)
    alpha[margin:-margin, margin:-margin] = 1
    return alpha


def test_iou_is_of_what_exceeds_one_half():
    known, found = square(), square()
    found[:, :48] *= 0.6
    assert metrics.hard_iou(found, known) == 1
    found[:, :48] *= 0.6
    assert metrics.hard_iou(found, known) == 0.5
    where = np.zeros_like(known, bool)
    where[:, 48:] = True
    assert metrics.hard_iou(found, known, where) == 1
    assert metrics.hard_iou(np.zeros((4, 4)), np.zeros((4, 4))) == 1


@pytest.mark.parametrize("size", [96, 384])
def test_haze_is_half_transparency_far_from_the_edge(size):
    known = square(size, size // 4)
    near, far = known.copy(), known.copy()
    reach = round(6 * size / 384) or 1
    near[size // 2, size // 4 + reach - 1] = 0.5
    far[size // 2, size // 4 + reach + 1] = 0.5
    assert metrics.haze(near, known) == 0
    assert metrics.haze(far, known) == 1 / size**2


def test_what_is_truly_half_transparent_is_no_haze():
    known = square()
    known[40:60, 40:60] = 0.5
    assert metrics.haze(known, known) == 0


def test_errors_of_a_hard_mask_leave_its_outline_out_and_iou_what_it_leaves_open():
    mask = (square() * 255).astype(np.uint8)
    mask[:10] = 128
    weights, known = mask_weights(mask), mask / np.float32(255)
    found = square()
    found[22:26, 30:66] = 1 - found[22:26, 30:66]  # wrong in the band along the outline
    found[:10] = 1  # and in what is left open
    scores = judge_matte("a", None, found, known, weights=weights).scores
    assert scores["mse"] == scores["mad"] == 0
    assert scores["iou"] == metrics.hard_iou(found, known, mask != 128) < 1
    assert scores["kept"] == float(scores["iou"] >= 0.9) and scores["lost"] == 0


def judged(number: int, source: str) -> Judged:
    iou = number / 100
    scores = {"mse": 1 - iou, "mad": 0.1, "iou": iou, "kept": float(iou >= 0.9), "lost": 0.0, "haze": iou / 10}
    return Judged(f"p{number:02}", (8, 8), scores, {"result": np.zeros((4, 4, 3), np.uint8)}, source=source)


def test_figures_by_source_and_of_all():
    sources = by_source([judged(10, "b"), judged(30, "a"), judged(50, "b")])
    assert list(sources) == ["a", "b", "all"]
    assert [each["iou"].mean for each in sources.values()] == pytest.approx([0.3, 0.3, 0.3])
    assert [each["iou"].count for each in sources.values()] == [1, 2, 3]
    assert by_source([judged(10, "")]) == {}


def test_the_page_shows_the_worst_by_iou_and_by_haze_and_all(tmp_path):
    path = tmp_path / "page.html"
    show("matting", [judged(number, "a") for number in range(30)], ShowOptions(report=path), {})
    _, iou, haze, every = path.read_text(encoding="utf-8").split("<h2>")
    assert iou.startswith(f"The {WORST_SHOWN} worst by IoU") and "<td>p00</td>" in iou and "<td>p20</td>" not in iou
    assert haze.startswith(f"The {WORST_SHOWN} worst by haze") and "<td>p29</td>" in haze and "<td>p09</td>" not in haze
    assert every.count("<td>p") == 30


@pytest.mark.slow
def test_several_packs_are_judged_by_source(run, tmp_path):
    places = []
    for source in ("animals", "chairs"):
        mask = (square(64, 16) * 255).astype(np.uint8)
        files = {"1.jpg": encoded(np.dstack([mask] * 3), "JPEG"), "1.png": encoded(mask, "PNG")}
        files["index.csv"] = index(["name", "split", "source"], [[f"{source}_1", "val", source]])
        files = {name.replace("1.", f"{source}_1."): data for name, data in files.items()}
        places.append(write_tar(tmp_path / f"{source}.tar", files))
    result = run("eval", "matting", *places, "--json")
    assert result.code == 0, result.err
    *items, summary = map(json.loads, result.lines)
    assert [item["source"] for item in items] == ["animals", "chairs"]
    assert items[0].keys() == {"schema", "event", *FIELDS["eval.TASK.item"]}
    assert summary["sources"].keys() == {"animals", "chairs"}
    assert summary["sources"]["chairs"]["iou"]["mean"] == items[1]["scores"]["iou"]
    assert "by source" in run("eval", "matting", *places).out
