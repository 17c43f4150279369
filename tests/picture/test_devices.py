"""Devices by name."""

import pytest
import torch

from omnialpha_cli.picture.load import choose_device, describe_devices, is_out_of_memory, list_devices
from omnialpha_cli.status import DeviceError, UsageError


def test_cpu_is_always_there():
    assert choose_device("cpu") == torch.device("cpu")
    assert describe_devices()[-1][0] == "cpu"


def test_auto_is_a_device_that_is_there():
    assert choose_device("auto").type in {name.split(":")[0] for name, _ in describe_devices()}


@pytest.mark.parametrize("name", ["nowhere", "meta", "cuda:99", ""])
def test_other_names_are_refused(name):
    with pytest.raises(DeviceError):
        choose_device(name)


@pytest.mark.parametrize(("text", "names"), [("cpu", 1), ("cpu:2", 2), ("cpu,cpu:2", 3)])
def test_workers_on_the_cpu_are_counted(text, names):
    assert list_devices(text) == ["cpu"] * names


def test_all_is_every_device_that_auto_would_choose():
    assert {name.split(":")[0] for name in list_devices("all")} == {choose_device("auto").type}


@pytest.mark.parametrize("text", ["", "cpu:0", "cpu:x", "99", "0,nowhere"])
def test_lists_that_are_none_are_refused(text):
    with pytest.raises((DeviceError, UsageError)):
        list_devices(text)


@pytest.mark.parametrize(
    ("error", "short"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), True),
        (RuntimeError("MPS backend out of memory"), True),
        (RuntimeError("shapes do not match"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_shortage_of_memory_is_recognised(error, short):
    assert is_out_of_memory(error) is short
