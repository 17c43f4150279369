"""LoRAs as they are written on the command line."""

import pytest

from omnialpha_cli.model.config import distilled_defaults
from omnialpha_cli.status import UsageError
from omnialpha_cli.weights.store import identity_of, parse_adapter


def test_a_strength_may_follow_the_path(tmp_path):
    file = tmp_path / "a.safetensors"
    file.write_bytes(b"x")
    assert parse_adapter(str(file)) == (file, 1.0)
    assert parse_adapter(f"{file}:0.5") == (file, 0.5)
    assert parse_adapter(f"{file}:-1") == (file, -1.0)
    odd = tmp_path / "b:2.safetensors"
    odd.write_bytes(b"x")
    assert parse_adapter(str(odd)) == (odd, 1.0)


@pytest.mark.parametrize("text", ["gone.safetensors", "gone.safetensors:1", "{here}/a.pt", "{here}/a.safetensors:much"])
def test_what_is_no_file_or_no_safetensors_is_refused(tmp_path, text):
    for name in ("a.pt", "a.safetensors"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(UsageError, match="LoRA"):
        parse_adapter(text.replace("{here}", str(tmp_path)))


def test_the_identity_follows_content_and_strength(tmp_path):
    file = tmp_path / "a.safetensors"
    file.write_bytes(b"x")
    one, half = (file, 1.0), (file, 0.5)
    before = identity_of([one])
    assert before != identity_of([half]) and identity_of([one, half]) != identity_of([half, one])
    assert identity_of([]) is None
    file.write_bytes(b"y")
    assert identity_of([one]) != before


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("Qwen-Image-Edit-2509-Lightning-4steps-V1.0-bf16.safetensors", 4),
        ("Qwen-Image-Lightning-8steps-V2.0.safetensors", 8),
        ("fast.safetensors", 8),
    ],
)
def test_a_distillation_lora_says_its_steps_in_its_name(tmp_path, name, steps):
    assert distilled_defaults(tmp_path / name) == {"steps": steps, "guidance": 1.0}
