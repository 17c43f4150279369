"""`omnialpha eval matting` on a small pack."""

import sys

import pytest
from training_packs import disc, encoded, index, write_tar
from typer.testing import CliRunner

from omnialpha_cli.cli.main import app
from omnialpha_cli.media.read import read_image
from omnialpha_cli.status import UsageError


@pytest.fixture
def pack(tmp_path):
    files = {}
    for i in range(2):
        rgba = disc(40 + 8 * i, i)
        files[f"p{i}.jpg"], files[f"p{i}.png"] = encoded(rgba[..., :3], "JPEG"), encoded(rgba[..., 3], "PNG")
    files["index.csv"] = index(
        ["name", "label", "confidence", "split"], [[f"p{i}", "", 1.0, "val"] for i in range(2)]
    )
    return write_tar(tmp_path / "photos.tar", files)


def test_each_photograph_and_the_mean_are_printed_and_the_worst_are_drawn(pack, tiny_weights, tmp_path):
    worst = tmp_path / "worst.png"
    result = CliRunner().invoke(
        app, ["eval", "matting", str(pack), "--model", str(tiny_weights), "--worst", str(worst)], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert [name for name, _ in rows] == ["p0", "p1"]
    assert all(0 <= float(mse) <= 1 for _, mse in rows)
    assert "mean" in result.stderr
    assert read_image(worst).size == (480, 960)


def test_without_pillow_the_extra_is_named(pack, tiny_weights, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    for module in ("omnialpha_cli.training.packs", "omnialpha_cli.evaluation.matting"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    result = CliRunner().invoke(app, ["eval", "matting", str(pack), "--model", str(tiny_weights)])
    assert isinstance(result.exception, UsageError)
    assert "omnialpha[train]" in str(result.exception)
