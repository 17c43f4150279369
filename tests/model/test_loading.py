"""How much of the host's memory loading takes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import omnialpha_cli

pytestmark = pytest.mark.slow

MB = 2**20
SHARDS, LAYERS, SIDE = 4, 4, 2048  # 4 files of 4 matrices of 16 MB

LOAD = """
import resource, sys
from pathlib import Path
import torch
from torch import nn
from omnialpha_cli.model.loading import load_into, shards

with torch.device("meta"):
    module = nn.Sequential(*(nn.Linear(2048, 2048, bias=False) for _ in range(16)))
files = shards(Path(sys.argv[1]))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
load_into(module, files, "cpu", getattr(torch, sys.argv[2]))
assert all(float(p.sum()) == p.numel() for p in module.parameters())
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the most memory of a process is told in other units elsewhere")
@pytest.mark.parametrize(("dtype", "model"), [("float32", 256 * MB), ("bfloat16", 128 * MB)])
def test_the_host_holds_no_more_than_a_shard_above_the_model(tmp_path, dtype, model):
    for shard in range(SHARDS):
        tensors = {f"{shard * LAYERS + i}.weight": torch.ones(SIDE, SIDE) for i in range(LAYERS)}
        save_file(tensors, tmp_path / f"m-{shard}.safetensors")
    environment = {**os.environ, "PYTHONPATH": str(Path(omnialpha_cli.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", LOAD, tmp_path, dtype], capture_output=True, text=True, check=True, env=environment
    )
    assert 1024 * int(done.stdout) < model + 64 * MB + 16 * MB  # and a little for torch itself
