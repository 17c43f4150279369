"""The whole training in miniature, through the command line: packs in, a weights folder out that mattes a picture."""

import json
import math
from dataclasses import replace
from string import ascii_lowercase

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from training_packs import stage
from typer.testing import CliRunner

from omnialpha_cli.cli.main import app
from omnialpha_cli.lab.train import stages
from omnialpha_cli.lab.train.export import INT8_FROM, INT8_KERNELS_FROM, quantise_rows, stored
from omnialpha_cli.lab.train.fold import fold_published
from omnialpha_cli.lab.train.progress import TrainingProgress
from omnialpha_cli.lab.train.recipe import read_recipe
from omnialpha_cli.lab.train.run import Run
from omnialpha_cli.lab.train.save import save_tensors
from omnialpha_cli.lab.train.words import TABLE_KEY, prune
from omnialpha_cli.model.mini.detail import Detail
from omnialpha_cli.model.mini.image_encoder import STAGES, Backbone, Variant
from omnialpha_cli.model.mini.load import per_row, read_tensors
from omnialpha_cli.model.omnialpha import OmniAlpha, Request

RECIPE = f"""
tasks = {{ "matte.auto" = 1.0, "decompose.mask" = 1.0 }}
[defaults]
steps = 1
guidance = 1.0
canvas = 64
[vae]
channels = [8, 8, 8]
blocks = [1, 1, 1]
{stage("vae", size=32, steps=2, batch=2)}
[image_encoder]
{stage("image_encoder")}
lr_scale = {{ "encoder.backbone" = 0.1 }}
{stage("relevance")}
{stage("effects", steps=2, batch=2)}
{stage("inpainter", steps=2, batch=2)}
[transformer]
num_layers = 1
attention_head_dim = 16
num_attention_heads = 2
joint_attention_dim = 16
axes_dims_rope = [4, 6, 6]
rope_canvas = 16
{stage("transformer", steps=2)}
{stage("transformer")}
"""


def published_backbone(variant: Variant = "lite0") -> dict[str, torch.Tensor]:
    """A random state dict with the names and shapes of the published EfficientNet-Lite0."""
    torch.manual_seed(0)
    state: dict[str, torch.Tensor] = {}

    def add(conv: str, norm: str, weight: torch.Tensor) -> None:
        state[f"{conv}.weight"] = weight * 0.1
        for part in ("weight", "bias", "running_mean", "running_var"):
            state[f"{norm}.{part}"] = torch.rand(len(weight)) + 0.5

    add("_conv_stem", "_bn0", torch.randn(32, 3, 3, 3))
    channels, number = 32, 0
    for expansion, kernel, _, out, count in STAGES[variant]:
        for _ in range(count):
            hidden = channels * expansion
            if expansion > 1:
                add(f"_blocks.{number}._expand_conv", f"_blocks.{number}._bn0", torch.randn(hidden, channels, 1, 1))
            add(f"_blocks.{number}._depthwise_conv", f"_blocks.{number}._bn1", torch.randn(hidden, 1, kernel, kernel))
            add(f"_blocks.{number}._project_conv", f"_blocks.{number}._bn2", torch.randn(out, hidden, 1, 1))
            channels, number = out, number + 1
    add("_conv_head", "_bn1", torch.randn(1280, channels, 1, 1))
    return state | {"_fc.weight": torch.randn(1000, 1280) * 0.01, "_fc.bias": torch.zeros(1000)}


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    """A BERT-style folder with a small vocabulary."""
    folder = tmp_path_factory.mktemp("words")
    pieces = ["[PAD]", "[UNK]", "[CLS]", *ascii_lowercase, *(f"##{c}" for c in ascii_lowercase)]
    pieces += ["disc", "red", *(f"word{i}" for i in range(8200))]
    spec = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": i,
                "content": c,
                "special": True,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
            }
            for i, c in enumerate(pieces[:3])
        ],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": None,
            "lowercase": True,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": None,
        "decoder": None,
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": {p: i for i, p in enumerate(pieces)},
        },
    }
    (folder / "tokenizer.json").write_text(json.dumps(spec))
    save_file({TABLE_KEY: torch.randn(len(pieces), 384)}, folder / "model.safetensors")
    return folder


def test_the_pruned_table_keeps_the_used_words_and_their_rows(words):
    tokenizer, table = prune(words, 80, ["red disc"])
    assert tokenizer.get_vocab_size() == 80
    assert tokenizer.encode("Red disc", add_special_tokens=False).tokens == ["red", "disc"]
    assert tokenizer.encode("ray", add_special_tokens=False).tokens == ["r", "##a", "##y"]
    assert table.shape == (80, 384)
    from safetensors.torch import load_file

    row = load_file(words / "model.safetensors")[TABLE_KEY][55]  # "disc"
    assert torch.allclose(table[tokenizer.token_to_id("disc")], row / row.norm())


def test_int8_rows_are_close():
    weight = torch.randn(50, 30)
    small, scale = quantise_rows(weight)
    assert small.dtype == torch.int8
    assert float((small * scale[:, None] - weight).abs().max()) <= float(scale.max()) / 2 + 1e-6


def test_kernels_of_a_unet_are_bytes_in_its_file(tmp_path):
    torch.manual_seed(0)
    network = Detail()
    small = stored(network)
    assert small["down.0.conv1.weight"].dtype == torch.float16  # few numbers
    assert small["down.3.conv1.weight.int8"].dtype == torch.int8
    save_tensors(small, tmp_path / "detail.safetensors")
    back = read_tensors(tmp_path / "detail.safetensors", torch.device("cpu"), torch.float32)
    assert back.keys() == network.state_dict().keys()
    for name, value in network.state_dict().items():
        step = value.abs().max() / 127
        assert back[name].shape == value.shape and (back[name] - value).abs().max() <= step


def test_folding_leaves_the_network_as_it_was():
    state = published_backbone()
    folded = fold_published(state)
    backbone = Backbone().eval()
    backbone.load_state_dict(folded)
    x = torch.rand(1, 3, 16, 16)
    # The stem by hand: convolution with uneven "same" padding, then the batch norm.
    y = torch.nn.functional.conv2d(torch.nn.functional.pad(x, (0, 1, 0, 1)), state["_conv_stem.weight"], stride=2)
    norm = {k: state[f"_bn0.{k}"] for k in ("running_mean", "running_var", "weight", "bias")}
    expected = torch.nn.functional.batch_norm(y, **norm, eps=1e-3)
    assert torch.allclose(backbone.stem(x), expected, atol=1e-5)


def test_from_packs_to_weights(packs, words, tmp_path):
    recipe, run, out = tmp_path / "r.toml", tmp_path / "run", tmp_path / "weights"
    recipe.write_text(RECIPE)
    torch.save(published_backbone(), tmp_path / "backbone.pth")
    material = [f"--{name}={path}" for name, path in packs.items()]

    def omnialpha(*arguments):
        result = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
        assert result.exit_code == 0, result.output

    omnialpha("train", "vae", recipe, *material, "--run", run)
    omnialpha("train", "image-encoder", recipe, *material, "--run", run, "--backbone", tmp_path / "backbone.pth")
    (tmp_path / "names.txt").write_text("\n".join(f"word{i}" for i in range(1000)))
    named = "--backbone", tmp_path / "backbone.pth", "--class-names", tmp_path / "names.txt", "--words", words
    omnialpha("train", "relevance", recipe, *material, "--run", run, *named)
    omnialpha("train", "effects", recipe, *material, "--run", run)
    omnialpha("train", "inpainter", recipe, *material, "--run", run)
    omnialpha("train", "sft", recipe, *material, "--run", run, "--words", words)
    omnialpha("train", "export", recipe, out, "--run", run, "--name", "toy")
    model = OmniAlpha.load(out)
    assert model.tasks == ("matte.auto", "decompose.mask")
    assert model.defaults.canvas == 64
    networks = {
        "relevance": model.context_encoder.relevance,
        **{name: model.specialist(name) for name in model.specialists},
    }
    for name, network in networks.items():
        learnt = torch.load(run / f"{name}.pt", weights_only=True)
        for tensor, found in network.state_dict().items():
            before = learnt[tensor].float()
            # Half a step of its row's 127 where it is large, else of fp16.
            if before.numel() >= {2: INT8_FROM, 4: INT8_KERNELS_FROM}.get(before.ndim, math.inf):
                step = per_row(before.abs().flatten(1).amax(1), before) / 254
            else:
                step = before.abs() * 2**-11
            assert ((found - before).abs() <= step * 1.01 + 1e-7).all(), f"{name}: {tensor}"
    picture = torch.from_numpy(np.random.default_rng(0).random((4, 64, 64), dtype=np.float32))
    assert model.shadow_gains(picture, picture[3]).shape == (3, 64, 64)
    ((layer,),) = model.run([Request("red disc", (picture,), ((64, 64),), task="matte.auto")])
    assert torch.isfinite(layer).all()


def test_training_goes_on_from_weights(packs, tiny_weights, tmp_path):
    recipe, run, out = tmp_path / "r.toml", tmp_path / "run", tmp_path / "weights"
    stages = RECIPE[RECIPE.index("[defaults]") : RECIPE.index("[vae]")]
    recipe.write_text(f"""
start = "{tiny_weights}"
claimed = ["matte.trimap"]
tasks = {{ "matte.trimap" = 1.0, "matte.text" = 1.0 }}
{stages}
[transformer]
{stage("transformer", steps=2)}
[detail]
examples = 3
{stage("detail", steps=2, lr=1e-2)}
""")
    material = [f"--{name}={path}" for name, path in packs.items()]
    for arguments in (("sft", recipe, *material), ("detail", recipe, *material), ("export", recipe, out)):
        result = CliRunner().invoke(app, ["train", *map(str, arguments), "--run", str(run)], catch_exceptions=False)
        assert result.exit_code == 0, result.output
    before, after = OmniAlpha.load(tiny_weights), OmniAlpha.load(out)
    assert after.tasks == ("matte.trimap",)
    assert after.transformer.config == before.transformer.config
    assert torch.equal(after.transformer.proj_out.weight, before.transformer.proj_out.weight) is False
    assert all(torch.equal(a, b) for a, b in zip(after.vae.parameters(), before.vae.parameters(), strict=True))
    assert before.specialist("detail") is None
    plate, colours, alpha = torch.rand(3, 70, 90), torch.rand(6, 70, 90), torch.rand(70, 90)
    found = after.refined(plate, colours, alpha, None)
    assert found.shape == (70, 90) and not torch.equal(found, alpha)
    learnt = torch.load(run / "detail.pt", weights_only=True)
    torch.testing.assert_close(after.specialist("detail").state_dict(), learnt, atol=2e-3, rtol=2e-3)


def test_an_interrupted_detail_goes_on_with_its_examples(material, tiny_weights, tmp_path, monkeypatch):
    numbers, predict = [], stages.detail.predict

    def interrupted(*given):
        if given[-1] == 3 and 3 not in numbers:
            numbers.append(3)
            raise KeyboardInterrupt
        numbers.append(given[-1])
        return predict(*given)

    monkeypatch.setattr(stages.detail, "A_FILE", 2)
    monkeypatch.setattr(stages.detail, "predict", interrupted)
    recipe = tmp_path / "r.toml"
    recipe.write_text(f"""
start = "{tiny_weights}"
[detail]
examples = 5
{stage("detail", lr=1e-2)}
""")
    (tmp_path / "again").mkdir()
    run = Run(read_recipe(recipe), tmp_path, TrainingProgress(shown=False))
    with pytest.raises(KeyboardInterrupt):
        stages.train_detail(run, material)
    stages.train_detail(run, material)
    assert numbers == [0, 1, 2, 3, 2, 3, 4]
    learnt = torch.load(tmp_path / "detail.pt", weights_only=True)
    stages.train_detail(replace(run, folder=tmp_path / "again"), material)
    again = torch.load(tmp_path / "again" / "detail.pt", weights_only=True)
    assert all(torch.equal(learnt[name], again[name]) for name in learnt)  # as if it had not been interrupted


def test_without_weights_to_start_from_words_are_needed(packs, tmp_path):
    recipe = tmp_path / "r.toml"
    recipe.write_text(RECIPE)
    arguments = ["train", "sft", recipe, f"--photos={packs['photos']}", "--run", tmp_path / "run"]
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert "--words is needed" in str(result.exception)


def test_an_export_before_training_says_what_is_missing(tmp_path):
    recipe = tmp_path / "r.toml"
    recipe.write_text(RECIPE)
    arguments = ["train", "export", recipe, tmp_path / "w", "--run", tmp_path / "run"]
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code != 0
    assert "omnialpha train" in str(result.exception)
