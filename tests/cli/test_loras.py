"""LoRAs on the command line: what changes pixels is part of the fingerprint."""

import numpy as np
import pytest
import torch
from PIL import Image as PILImage
from safetensors.torch import save_file


@pytest.fixture
def lora(tmp_path):
    """A LoRA for the tiny model, of a name that tells 4 steps."""
    file = tmp_path / "x-Lightning-4steps.safetensors"
    save_file({
        "transformer_blocks.0.attn.to_q.lora_down.weight": torch.ones(2, 32),
        "transformer_blocks.0.attn.to_q.lora_up.weight": torch.ones(32, 2),
    }, file)  # fmt: skip
    return file


def test_a_lora_changes_the_result_and_its_strength_the_fingerprint(run, picture, tmp_path, lora):
    picture(tmp_path / "a.png")
    assert run("matte", "a.png", "-o", "plain").code == 0
    assert run("matte", "a.png", "-o", "out", "--lora", f"{lora}:2").code == 0
    assert (tmp_path / "plain/a.png").read_bytes() != (tmp_path / "out/a.png").read_bytes()
    assert '"skipped"' in run("matte", "a.png", "-o", "out", "--lora", f"{lora}:2", "--json").out
    refused = run("matte", "a.png", "-o", "out", "--lora", f"{lora}:1")
    assert refused.code == 2 and "adapters" in refused.err


def test_strength_zero_is_the_plain_result(run, picture, tmp_path, lora):
    picture(tmp_path / "a.png")
    run("matte", "a.png", "-o", "plain")
    run("matte", "a.png", "-o", "out", "--lora", f"{lora}:0", "--lora", f"{lora}:0")
    # The files name their settings, which differ; the pixels do not.
    plain, out = (np.asarray(PILImage.open(tmp_path / folder / "a.png")) for folder in ("plain", "out"))
    assert np.array_equal(plain, out)


def test_a_distillation_lora_sets_steps_and_guidance_which_options_override(run, picture, tmp_path, lora):
    picture(tmp_path / "a.png")
    assert run("matte", "a.png", "-o", "out", "--distilled", lora).code == 0
    refused = run("matte", "a.png", "-o", "out").err
    assert "steps 4 (now 1)" in refused
    assert '"skipped"' in run("matte", "a.png", "-o", "out", "--distilled", lora, "--steps", "4", "--json").out
    assert "steps 4 (now 6)" in run("matte", "a.png", "-o", "out", "--distilled", lora, "--steps", "6").err


def test_a_lora_that_does_not_fit_or_exist_is_one_line(run, picture, tmp_path, lora):
    picture(tmp_path / "a.png")
    assert run("matte", "a.png", "--lora", "gone.safetensors").code == 2
    save_file({"other.lora_A.weight": torch.ones(1, 1)}, lora)
    outcome = run("matte", "a.png", "--lora", lora)
    assert outcome.code == 4 and f"{lora}: the adapter does not fit: other.lora_A.weight" in outcome.err
    lora.write_bytes(b"nothing of the kind")
    outcome = run("matte", "a.png", "--lora", lora)
    assert outcome.code == 4 and f"{lora} is no whole safetensors file" in outcome.err
