"""Training in the published layout, by the commands, on tiny random weights: VAE, cold start, reinforcement."""

import json

import pytest
import torch
from published_weights import write_published
from typer.testing import CliRunner

from omnialpha_cli.cli.main import app
from omnialpha_cli.lab.train.export import write_alpha_vae
from omnialpha_cli.model.omnialpha import OmniAlpha, Request
from omnialpha_cli.model.published import load as published
from omnialpha_cli.model.vae import AlphaVAE
from omnialpha_cli.status import UsageError

ADAPTER = "lora/pytorch_lora_weights.safetensors"
STAGE = "size = 64\nsteps = 2\nbatch = 2\nlr = 1e-2\nwarmup = 0.0\nlog_every = 1\npicture_every = 2\nrecompute = true\n"
LORA = "[lora]\nmodules = '.*attn.*'\nrank = 4\nalpha = 4\n"
DEFAULTS = "[defaults]\nsteps = 2\nguidance = 2.0\ncanvas = 64\ncommands = { decompose = { canvas = 32 } }\n"
VAE = f"""
[vae.loss]
adversarial_from = 1
kl_reference = 1e-3
[[vae.stages]]
{STAGE}
"""
SFT = f"""
tasks = {{ "matte.text" = 1.0, "decompose.auto" = 1.0, "generate.foreground" = 1.0, "remove.mask" = 1.0 }}
{LORA}
{DEFAULTS}
[flow]
sigma = "uniform"
at_one = 0.0
error = "velocity"
[[transformer.stages]]
{STAGE}
"""
GRPO = f"""
tasks = {{ "decompose.auto" = 1.0 }}
{LORA}
{DEFAULTS}
[grpo]
group = 4
steps = 3
at_once = 2
kl = 0.1
[[grpo.stages]]
{STAGE}
micro = 1
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights") / "base"
    write_published(folder, lora=False)
    return folder


@pytest.fixture
def omnialpha(packs, tmp_path):
    def run(command: str, recipe: str, *arguments: object):
        (tmp_path / f"{command}.toml").write_text(recipe)
        material = [f"--{name}={path}" for name, path in packs.items()]
        given = ["train", command, tmp_path / f"{command}.toml", *material, "--run", tmp_path / "run", *arguments]
        result = CliRunner().invoke(app, [str(a) for a in given], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return tmp_path / "run"

    return run


def log(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_a_trained_vae_is_read_by_diffusers(base, tmp_path):
    from diffusers import AutoencoderKLQwenImage

    vae = published.load_vae(base, "cpu", torch.float32)
    write_alpha_vae(vae, tmp_path / "rgba_vae")
    reference = AutoencoderKLQwenImage.from_pretrained(tmp_path / "rgba_vae").eval()
    rgba = torch.rand(1, 4, 32, 48, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        latents = reference.encode(rgba[:, :, None]).latent_dist.mode()
        decoded = reference.decode(latents).sample[:, :, 0]
    assert torch.allclose(vae.normalise(latents[:, :, 0]), vae.encode(rgba), atol=1e-4)
    assert torch.allclose(decoded, vae.decode(vae.normalise(latents[:, :, 0])), atol=1e-4)
    again = published.load_vae(tmp_path, "cpu", torch.float32)
    assert all(torch.equal(a, b) for a, b in zip(again.parameters(), vae.parameters(), strict=True))


@pytest.mark.parametrize("channels", [3, 4])
def test_the_vae_learns_from_a_base_of_either_kind(omnialpha, tmp_path, channels):
    write_published(tmp_path / "base", channels=channels, lora=False)
    run = omnialpha("vae", VAE, "--start", tmp_path / "base")
    first, second = log(run / "vae-1")
    assert "generator" not in first and {"error", "perceptual", "kl", "kl_reference"} <= first.keys()
    assert {"generator", "discriminator"} <= second.keys()
    assert first["kl_reference"] < 0.01 * second["kl_reference"]  # it starts as the reference itself
    vae = published.load_vae(tmp_path / "run" / "vae", "cpu", torch.float32)
    before = published.load_vae(tmp_path / "base", "cpu", torch.float32)
    assert isinstance(vae, AlphaVAE) and vae.config.input_channels == 4
    if channels == 3:
        assert not torch.equal(vae.decoder.conv_out.bias[3:], torch.ones(1))  # it was opaque; it has moved
        before = before.vae
    else:
        assert vae.config == before.config
    assert not torch.equal(vae.encoder.conv_out.weight, before.encoder.conv_out.weight)
    assert (run / "vae-1" / "pictures" / "0000002.png").exists()


def test_the_cold_start_makes_an_adapter_that_the_commands_take(omnialpha, base):
    run = omnialpha("sft", SFT, "--start", base)
    entries = log(run / "sft-1")
    assert all(entry["flow"] > 0 for entry in entries)
    assert any(key.startswith("flow/") for entry in entries for key in entry)
    plain, adapted = OmniAlpha.load(base), OmniAlpha.load(base, loras=[(run / "sft" / ADAPTER, 1.0)])
    request = Request("a red disc", (torch.rand(4, 64, 64),), ((64, 64),))
    before, after = (model.run([request], steps=2, guidance=1.0)[0][0] for model in (plain, adapted))
    assert not torch.equal(before, after) and torch.isfinite(after).all()
    left = torch.load(run / "sft.pt", weights_only=True)
    assert all(name.rpartition(".")[2] in ("up", "down") for name in left)  # the base is not written again


def test_reinforcement_goes_on_from_the_merged_adapter(omnialpha, base):
    run = omnialpha("sft", SFT, "--start", base)
    omnialpha("grpo", GRPO, "--start", base, "--lora", run / "sft" / ADAPTER)
    first, second = log(run / "grpo-1")
    assert {"reward", "layer", "comp", "bg", "fg", "clipped"} <= first.keys()
    assert first["kl"] == 0 < second["kl"]
    adapters = [(run / name / ADAPTER, 1.0) for name in ("sft", "grpo")]
    OmniAlpha.load(base, loras=adapters)


def test_all_of_a_transformer_can_be_trained(omnialpha, base):
    run = omnialpha("sft", SFT.replace(LORA, ""), "--start", base)
    left = run / "sft" / "transformer"
    (left.parent / "scheduler").symlink_to(base / "scheduler")
    trained = published.load_transformer(left.parent, "cpu", torch.float32)
    before = published.load_transformer(base, "cpu", torch.float32)
    assert trained.config == before.config
    assert not torch.equal(trained.proj_out.weight, before.proj_out.weight)


def test_the_embedded_kind_takes_adapters_too(omnialpha, tiny_weights):
    run = omnialpha("sft", SFT.replace(', "generate.foreground" = 1.0', ""), "--start", tiny_weights)
    OmniAlpha.load(tiny_weights, loras=[(run / "sft" / ADAPTER, 1.0)])


def test_a_transformer_is_not_trained_on_latents_without_alpha(omnialpha, tmp_path):
    write_published(tmp_path / "rgb", channels=3, lora=False)
    with pytest.raises(UsageError, match="knows no alpha"):
        omnialpha("sft", SFT, "--start", tmp_path / "rgb")


def test_without_weights_to_start_from_it_says_how_to_name_them(omnialpha):
    with pytest.raises(UsageError, match="--start"):
        omnialpha("grpo", GRPO)


def test_weights_without_such_a_vae_are_refused(omnialpha, tiny_weights):
    with pytest.raises(UsageError, match="no VAE of the published architecture"):
        omnialpha("vae", VAE, "--start", tiny_weights)


def test_a_recipe_without_stages_for_it_is_refused(omnialpha, base):
    with pytest.raises(UsageError, match=r"no \[tasks\]"):
        omnialpha("sft", VAE, "--start", base)
    with pytest.raises(UsageError, match="no stages that train sft"):
        omnialpha("sft", GRPO, "--start", base)
    with pytest.raises(UsageError, match=r"no \[tasks\] or no \[\[grpo.stages\]\]"):
        omnialpha("grpo", SFT, "--start", base)
