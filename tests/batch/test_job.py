"""How cores are shared out."""

import os
import threading
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_model import tiny_model

from omnialpha_cli.batch import job
from omnialpha_cli.batch.job import Threads, divide, pixels_ahead, share_cores, use_torch_threads
from omnialpha_cli.model.omnialpha import OmniAlpha


@pytest.mark.parametrize(
    ("cores", "items", "how", "shared"),
    [
        (8, 1, {"apart": True}, Threads(1, 1, 1, 1)),  # one item is computed as one of many is
        (1, 100, {"apart": True}, Threads(1, 1, 1, 1)),
        (2, 100, {"apart": True}, Threads(1, 1, 1, 2)),
        (16, 100, {"apart": True}, Threads(2, 8, 1, 8)),
        (16, 3, {"apart": True}, Threads(2, 3, 1, 3)),  # no more threads than items
        (16, 100, {}, Threads(2, 1, 8, 8)),
        (16, 100, {"accelerated": True}, Threads(5, 1, 1, 15)),  # the network is elsewhere
    ],
)
def test_cores_are_shared_by_what_there_is_to_do(cores, items, how, shared):
    assert share_cores(cores, items, **how) == shared


def test_a_mini_computes_pictures_apart_and_the_published_model_one_by_all_cores():
    mini = tiny_model()
    published = OmniAlpha(**{field.name: getattr(mini, field.name) for field in fields(OmniAlpha) if field.init})
    assert divide(mini, 16, 100, batch_size=4) == (1, Threads(2, 8, 1, 8))
    assert divide(published, 16, 100, batch_size=4) == (1, Threads(2, 1, 8, 8))


@pytest.mark.parametrize(
    ("cores", "threads", "free", "megapixels"),
    [
        (2, Threads(1, 1, 1, 2), None, 48),  # two photographs of 24 megapixels
        (2, Threads(1, 1, 1, 2), 100e9, 48),
        (2, Threads(1, 1, 1, 2), 3.2e9, 25),  # half of what is free, at 64 bytes a pixel
        (16, Threads(2, 8, 1, 8), 100e9, 256),
        (16, Threads(2, 8, 1, 8), 16e9, 125),
        (16, Threads(1, 2, 1, 2), 16e9, 31.25),  # one worker of four
    ],
)
def test_pixels_under_way_grow_with_the_threads_and_fit_into_the_free_memory(
    monkeypatch, cores, threads, free, megapixels
):
    monkeypatch.setattr(job, "count_cores", lambda: cores)
    monkeypatch.setattr(job, "free_memory", lambda: free)
    assert pixels_ahead(threads, window=1) == megapixels * 1e6
    assert pixels_ahead(threads, window=3) <= 3 * megapixels * 1e6


def test_torch_threads_are_set_for_the_calling_thread_alone():
    seen = {}

    def work(name: str, count: int, turn: threading.Barrier) -> None:
        use_torch_threads(count)
        turn.wait(10)  # both have set theirs
        seen[name] = torch.get_num_threads()

    before = torch.get_num_threads()
    turn = threading.Barrier(2)
    threads = [threading.Thread(target=work, args=(str(count), count, turn)) for count in (1, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {"1": 1, "3": 3}
    assert torch.get_num_threads() == before


@pytest.mark.slow
@pytest.mark.parametrize("command", [["matte"], ["remove", "--mask", "m.png"], ["decompose", "--mask", "m.png"]])
def test_a_picture_has_the_same_bytes_by_any_number_of_cores(command, omnialpha, tmp_path, monkeypatch):
    """Rounding depends on the number of threads that share an operator; here the bits of floats are compared."""
    monkeypatch.chdir(tmp_path)
    photo = Path(__file__).parents[1] / "data" / "chelsea.jpg"
    mask = np.zeros(Image.open(photo).size[::-1], np.uint8)
    mask[60:200, 150:300] = 255
    Image.fromarray(mask).save("m.png")
    for cores in (1, 2, 6):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, cores=cores: set(range(cores)))
        options = "--model", "mini", "--device", "cpu", "--format", "exr", "--depth", "float", "-o", f"out{cores}"
        assert omnialpha(*command, photo, *options).code == 0
    one, two, six = (Path(f"out{cores}/chelsea.exr").read_bytes() for cores in (1, 2, 6))
    assert one == two == six
