"""A picture is weighed against the memory that is free before its pixels are read."""

import resource

import numpy as np
import pytest
from picture_files import write_exr
from PIL import Image as PILImage

from omnialpha_cli import memory
from omnialpha_cli.media import opening
from omnialpha_cli.media.read import read_image
from omnialpha_cli.status import ItemError


def test_a_picture_that_does_not_fit_is_refused_by_its_header(tmp_path, monkeypatch):
    PILImage.new("1", (9000, 9000), 1).save(tmp_path / "bomb.png")
    monkeypatch.setattr(opening, "free_memory", lambda: 4 * 10**9)
    monkeypatch.setattr("omnialpha_cli.media.read._samples", lambda *_: pytest.fail("pixels were read"))
    with pytest.raises(ItemError, match=r"about 5.2 GB of memory are needed, and 4.0 GB are free") as error:
        read_image(tmp_path / "bomb.png")
    assert error.value.code == "too-large"


@pytest.mark.parametrize("free", [None, 0, 10**10])
def test_small_pictures_are_always_tried(tmp_path, monkeypatch, free):
    PILImage.new("RGB", (90, 60)).save(tmp_path / "a.png")
    monkeypatch.setattr(opening, "free_memory", lambda: free)
    assert read_image(tmp_path / "a.png").size == (60, 90)


def test_too_little_memory_is_no_damage(tmp_path, monkeypatch):
    def full(*_):
        raise MemoryError

    PILImage.new("RGB", (90, 60)).save(tmp_path / "a.png")
    monkeypatch.setattr("omnialpha_cli.media.read._samples", full)
    with pytest.raises(MemoryError):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("sides", [(8, 6), (40, 30)])
def test_a_picture_is_let_in_by_the_larger_of_its_windows(tmp_path, sides):
    path = write_exr(tmp_path / "a.exr", ("RGB", np.ones((12, 16, 3), np.float32)), windows=(0, 0, *sides))
    let_in = []
    read_image(path, admit=let_in.append)
    assert let_in[0] == max(12 * 16, sides[0] * sides[1])


class TestFreeMemory:
    def test_the_machine_tells(self):
        free = memory.free_memory()
        assert free is None or 2**26 < free < 2**50

    def test_a_limit_on_the_process_counts(self, monkeypatch):
        if memory.free_memory() is None:
            pytest.skip("this system does not tell")
        used = memory._kilobytes(memory.Path("/proc/self/status"), "VmSize")
        monkeypatch.setattr(resource, "getrlimit", lambda kind: (used + 2**24, used + 2**24))
        assert memory.free_memory() <= 2**25

    def test_a_limit_on_the_container_counts(self, monkeypatch, tmp_path):
        if memory.free_memory() is None:
            pytest.skip("this system does not tell")
        for name, content in (("max", "3000"), ("current", "2500"), ("stat", "anon 5\ninactive_file 100")):
            (tmp_path / f"memory.{name}").write_text(content + "\n")
        monkeypatch.setattr(memory, "CGROUP", tmp_path)
        assert memory.free_memory() == 600
