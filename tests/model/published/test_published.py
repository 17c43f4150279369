"""End to end in the published folder layout: equal to diffusers' pipeline, and to the facts where that cannot go."""

import json
import math
import shutil
from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image as PILImage
from published_weights import lora_state, tokenizer, write_published
from safetensors.torch import load_file, save_file

from omnialpha_cli.imaging.canvas import choose_canvas
from omnialpha_cli.model.omnialpha import OmniAlpha, Request
from omnialpha_cli.model.published import load as published
from omnialpha_cli.model.published.qwen import AFTER, BEFORE, DROPPED, PICTURE, PLACE
from omnialpha_cli.model.published.qwen_images import ImageSettings, patches
from omnialpha_cli.model.sampler import schedule
from omnialpha_cli.tasks import TASKS

pytestmark = pytest.mark.slow  # importing diffusers and transformers takes seconds

STEPS = 4


@pytest.fixture(scope="module")
def edit_plus():
    """Diffusers' module of the published pipeline."""
    from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus

    return pipeline_qwenimage_edit_plus


def picture(h, w, seed):
    return torch.rand(4, h, w, generator=torch.Generator().manual_seed(seed))


def opaque_pil(h, w, seed):
    return PILImage.fromarray(np.random.default_rng(seed).integers(0, 256, (h, w, 3), np.uint8))


def as_input(image):
    rgb = torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1) / 255
    return torch.cat([rgb, torch.ones_like(rgb[:1])])


@pytest.fixture(scope="module")
def rgb(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rgb") / "weights"
    return write_published(folder, channels=3, lora=True), folder


@pytest.fixture(scope="module")
def rgba(tmp_path_factory):
    """The reference modules, with the LoRA in their weights, and our model of the same files."""
    folder = tmp_path_factory.mktemp("rgba") / "weights"
    parts = write_published(folder)
    weights = dict(parts["transformer"].named_parameters())
    for name, up in (state := load_file(folder / "lora" / "pytorch_lora_weights.safetensors")).items():
        if name.endswith(".lora_B.weight"):
            layer = name.removesuffix(".lora_B.weight")
            weights[layer.removeprefix("transformer.") + ".weight"].data += up @ state[f"{layer}.lora_A.weight"]
    return parts, OmniAlpha.load(folder, dtype=torch.float32)


# One target: diffusers' own pipeline.


@pytest.mark.slow
@pytest.mark.parametrize("guidance", [1.0, 4.0])
@pytest.mark.parametrize("pictures", [1, 2])
def test_one_target_equals_the_pipeline(edit_plus, rgb, monkeypatch, guidance, pictures):
    parts, folder = rgb
    model = OmniAlpha.load(folder, dtype=torch.float32)
    size = (64, 96)
    for name in ("VAE_IMAGE_SIZE", "CONDITION_IMAGE_SIZE"):
        monkeypatch.setattr(edit_plus, name, size[0] * size[1])
    images = [opaque_pil(*size, seed) for seed in range(pictures)]
    request = Request("a red cat", tuple(map(as_input, images)), (size,), seed=7)
    contexts = model.context([request], guided=guidance != 1)

    pipeline = edit_plus.QwenImageEditPlusPipeline(
        parts["scheduler"], parts["vae"], parts["text_encoder"], None, None, parts["transformer"]
    )
    pipeline.load_lora_weights(folder / "lora")
    pipeline.set_progress_bar_config(disable=True)
    expected = pipeline(
        image=images,
        prompt_embeds=contexts[0].tokens,
        negative_prompt_embeds=contexts[-1].tokens if guidance != 1 else None,
        true_cfg_scale=guidance,
        height=size[0],
        width=size[1],
        latents=model.noise([request]),
        num_inference_steps=STEPS,
        output_type="pt",
    ).images[0]
    pipeline.unload_lora_weights()

    ((ours,),) = model.run([request], steps=STEPS, guidance=guidance)
    assert ours.shape == (4, *size)
    assert float((ours[:3] - expected).abs().max()) < 1e-3
    assert ours[3].eq(1).all()  # a VAE of three channels knows no alpha
    assert float(expected.std()) > 0.02  # a picture, not a constant that anything equals


def relative_rms(found, expected):
    return float((found - expected).float().square().mean().sqrt() / expected.float().square().mean().sqrt())


def latents_of_the_pipeline(edit_plus, parts, model, request, steps, guidance):
    """Clean target tokens by diffusers' own pipeline, in the model's dtype, from our context, noise and input."""
    (height, width), (image,) = request.targets[0], request.inputs
    contexts = model.context([request], guided=guidance != 1)
    pipeline = edit_plus.QwenImageEditPlusPipeline(
        parts["scheduler"], parts["vae"], parts["text_encoder"], None, None, parts["transformer"]
    ).to(model.dtype)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline(
        image=PILImage.fromarray((image[:3].permute(1, 2, 0) * 255).round().byte().numpy()),
        prompt_embeds=contexts[0].tokens,
        negative_prompt_embeds=contexts[-1].tokens if guidance != 1 else None,
        true_cfg_scale=guidance,
        height=height,
        width=width,
        latents=model.noise([request]).to(model.dtype),
        num_inference_steps=steps,
        output_type="latent",
    ).images


@torch.inference_mode()
def our_latents(model, request, steps, guidance):
    contexts = model.context([request], guided=guidance != 1)
    return model.sample([request], contexts, model.encode([request]), steps, guidance)


@pytest.mark.slow
@pytest.mark.parametrize("guidance", [1.0, 4.0])
def test_in_16_bits_the_timestep_is_rounded_as_the_pipeline_rounds_it(edit_plus, tmp_path, monkeypatch, guidance):
    parts = write_published(tmp_path, channels=3, lora=False)
    size = (64, 96)
    for name in ("VAE_IMAGE_SIZE", "CONDITION_IMAGE_SIZE"):
        monkeypatch.setattr(edit_plus, name, size[0] * size[1])
    request = Request("a red cat", (as_input(opaque_pil(*size, 0)),), (size,), seed=7)
    model = OmniAlpha.load(tmp_path, dtype=torch.bfloat16)
    expected = latents_of_the_pipeline(edit_plus, parts, model, request, 20, guidance)
    assert relative_rms(our_latents(model, request, 20, guidance), expected) < 0.02

    (tmp_path / "config.json").write_text(json.dumps({"transformer": {"timestep_rounding": False}}))
    exact = OmniAlpha.load(tmp_path, dtype=torch.bfloat16)
    assert relative_rms(our_latents(exact, request, 20, guidance), expected) > 0.025


def test_a_vae_of_three_channels_sees_pictures_on_white(rgb):
    vae = published.load_vae(rgb[1], "cpu", torch.float32)
    clear, white = -torch.ones(1, 4, 16, 16), torch.ones(1, 4, 16, 16)
    assert torch.equal(vae.encode(clear), vae.encode(white))


# Several targets and RGBA: the facts, written down once more.


def reference_context(parts, prompt, images):
    """§5: template, pictures, prompt in one pass; the first 64 states dropped."""
    cut = [patches(image, ImageSettings(), True) for image in images]
    named = "".join(PICTURE.format(i, PLACE * (h * w // 4)) for i, (_, (h, w)) in enumerate(cut, 1))
    ids = torch.tensor([tokenizer()(BEFORE + named + prompt + AFTER)["input_ids"]])
    more = {}
    if images:
        more = {
            "pixel_values": torch.cat([p for p, _ in cut]),
            "image_grid_thw": torch.tensor([(1, h, w) for _, (h, w) in cut]),
            "mm_token_type_ids": (ids == parts["text_encoder"].config.image_token_id).int(),
        }
    return parts["text_encoder"](input_ids=ids, output_hidden_states=True, **more).hidden_states[-1][:, DROPPED:]


def reference_sigmas(tokens):
    """§6: linear, shifted by the number of target tokens, then stretched to end at .02, then 0."""
    shift = math.exp(0.5 + (0.9 - 0.5) * (tokens - 256) / (8192 - 256))
    sigmas = np.linspace(1, 1 / STEPS, STEPS)
    sigmas = shift / (shift + (1 / sigmas - 1))
    return [*(1 - (1 - sigmas) * (1 - 0.02) / (1 - sigmas[-1])), 0.0]


def to_tokens(latents):
    """(C, h, w) → (hw/4, 4C): patches row by row, channels first within one."""
    c, h, w = latents.shape
    rows = [latents[:, y : y + 2, x : x + 2].reshape(c * 4) for y in range(0, h, 2) for x in range(0, w, 2)]
    return torch.stack(rows)


def to_latents(tokens, h, w):
    out = torch.empty(16, h, w)
    for i, token in enumerate(tokens):
        y, x = i // (w // 2) * 2, i % (w // 2) * 2
        out[:, y : y + 2, x : x + 2] = token.view(16, 2, 2)
    return out


@torch.no_grad()
def reference_run(parts, request, guidance):
    """One item after §§3–6, on the published classes."""
    vae, transformer = parts["rgba_vae"], parts["transformer"]
    mean, std = (torch.tensor(v)[:, None, None] for v in (vae.config.latents_mean, vae.config.latents_std))
    encoded = [(vae.encode(i[None, :, None] * 2 - 1).latent_dist.mode()[0, :, 0] - mean) / std for i in request.inputs]
    generator = torch.Generator().manual_seed(request.seed)
    noise = [torch.randn(16, h // 8, w // 8, generator=generator) for h, w in request.targets]
    x = torch.cat([to_tokens(n) for n in noise])
    given = [to_tokens(z) for z in encoded]
    sizes = [*request.targets, *(i.shape[-2:] for i in request.inputs)]
    shapes = [[(1, h // 16, w // 16) for h, w in sizes]]
    prompts = [request.prompt] if guidance == 1 else [request.prompt, ""]
    contexts = [reference_context(parts, prompt, request.inputs) for prompt in prompts]
    sigmas = reference_sigmas(len(x))
    for sigma, following in pairwise(sigmas):
        velocities = [
            transformer(
                hidden_states=torch.cat([x, *given])[None],
                encoder_hidden_states=context,
                timestep=torch.tensor([sigma], dtype=torch.float32),
                img_shapes=shapes,
                return_dict=False,
            )[0][0, : len(x)]
            for context in contexts
        ]
        velocity = velocities[0]
        if guidance != 1:
            combined = velocities[1] + guidance * (velocities[0] - velocities[1])
            velocity = combined * velocities[0].norm(dim=-1, keepdim=True) / combined.norm(dim=-1, keepdim=True)
        x = x + (following - sigma) * velocity
    layers, start = [], 0
    for h, w in request.targets:
        count = h * w // 256
        z = to_latents(x[start : start + count], h // 8, w // 8) * std + mean
        layers.append((vae.decode(z[None, :, None]).sample[0, :, 0].clamp(-1, 1) + 1) / 2)
        start += count
    return layers


KINDS = {
    "text-to-image": Request("a feather", (), ((64, 64),), seed=1),
    "removal": Request("remove", (picture(64, 96, 1), picture(64, 96, 2)), ((64, 96),), seed=2),
    "matting": Request("matte", (picture(96, 64, 3),), ((96, 64),), seed=3),
    "decomposition": Request("decompose", (picture(64, 64, 4),), ((64, 64), (64, 64)), seed=4),
}


@pytest.mark.parametrize("guidance", [1.0, 4.0])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_task_equals_the_facts(rgba, kind, guidance):
    parts, model = rgba
    (layers,) = model.run([KINDS[kind]], steps=STEPS, guidance=guidance)
    expected = reference_run(parts, KINDS[kind], guidance)
    assert len(layers) == len(KINDS[kind].targets)
    for ours, theirs in zip(layers, expected, strict=True):
        assert float((ours - theirs).abs().max()) < 1e-3
        assert float(theirs.std()) > 0.02


@pytest.mark.parametrize("guidance", [1.0, 4.0])
def test_a_batch_with_different_prompts_equals_the_facts_item_by_item(rgba, guidance):
    parts, model = rgba
    requests = [
        Request("a red cat on a long wall", (picture(64, 64, 5),), ((64, 64), (64, 64)), seed=5),
        Request("a", (picture(64, 64, 6),), ((64, 64), (64, 64)), seed=6),
    ]
    for request, layers in zip(requests, model.run(requests, steps=STEPS, guidance=guidance), strict=True):
        for ours, theirs in zip(layers, reference_run(parts, request, guidance), strict=True):
            assert float((ours - theirs).abs().max()) < 1e-3


# Loading.


def test_tasks_and_defaults_are_the_published_ones(rgba):
    _, model = rgba
    several = [f"decompose.auto/{count}" for count in (3, 4, 5)]
    assert model.tasks == (*(task.name for task in TASKS.values() if task.published), *several)
    assert (model.defaults.steps, model.defaults.guidance, model.defaults.dtype) == (50, 4.0, "bfloat16")
    assert model.defaults.of("generate").canvas == 1024


@pytest.mark.parametrize(("command", "images"), [("matte", 2), ("remove", 3), ("decompose", 3)])
@pytest.mark.parametrize("size", [(1000, 1000), (1080, 1920), (4000, 3000), (500, 2000), (700, 1000), (235, 100)])
def test_no_canvas_is_larger_than_the_published_ones(rgba, command, images, size):
    """All images of a request share 1024² pixels (facts §6); sides are multiples of 32."""
    defaults = rgba[1].defaults.of(command)
    height, width = choose_canvas(*size, defaults.canvas, defaults.multiple).size
    assert 0.85 * 1024**2 / images < height * width <= 1024**2 / images
    assert height % 32 == width % 32 == 0


def test_a_config_in_the_folder_takes_the_place_of_the_published_one(own_published):
    assert OmniAlpha.load(own_published, dtype=torch.float32).context_encoder.transposed
    config = {"tasks": ["matte.auto"], "defaults": {"steps": 8}, "context": {"transposed_images": False}}
    (own_published / "config.json").write_text(json.dumps(config))
    model = OmniAlpha.load(own_published, dtype=torch.float32)
    assert (model.tasks, model.defaults.steps) == (("matte.auto",), 8)
    assert not model.context_encoder.transposed


def test_the_number_type_is_that_asked_for(own_published):
    model = OmniAlpha.load(own_published, dtype=torch.bfloat16)
    parameters = [*model.transformer.parameters(), *model.vae.parameters(), *model.context_encoder.parameters()]
    assert {p.dtype for p in parameters} == {torch.bfloat16}
    request = Request("a", (picture(64, 64, 1),), ((64, 64),))
    assert model.run([request], steps=2)[0][0].dtype == torch.float32


@pytest.mark.parametrize(
    ("part", "change", "says"),
    [
        ("transformer", lambda s: s.pop("proj_out.weight"), "missing proj_out.weight"),
        ("transformer", lambda s: s.update({"extra.weight": torch.ones(1)}), "unknown extra.weight"),
        ("transformer", lambda s: s.update({"img_in.bias": torch.ones(3)}), r"img_in.bias is \(3,\), not \(32,\)"),
        ("text_encoder", lambda s: s.pop("model.norm.weight"), "missing language_model.norm.weight"),
        ("text_encoder", lambda s: s.update({"visual.x": torch.ones(1)}), "unknown visual.x"),
        ("rgba_vae", lambda s: s.pop("quant_conv.bias"), "missing quant_conv.bias"),
        ("lora", lambda s: s.update({"transformer.x.lora_A.weight": torch.ones(1, 1)}), "matches no linear layer"),
    ],
)
def test_a_key_too_many_or_too_few_is_named(own_published, part, change, says):
    (file,) = (own_published / part).glob("*.safetensors")
    state = load_file(file)
    change(state)
    save_file(state, file)
    with pytest.raises(ValueError, match=says):
        OmniAlpha.load(own_published, dtype=torch.float32)


def test_only_the_time_convolutions_of_the_vae_have_no_use(tmp_path):
    parts = write_published(tmp_path)
    vae = published.load_vae(tmp_path, "cpu", torch.float32)
    unused = set(parts["rgba_vae"].state_dict()) - set(vae.state_dict())
    assert unused and all(".time_conv." in name for name in unused)


def test_shards_of_an_index_are_all_read_and_nothing_else(own_published):
    whole = OmniAlpha.load(own_published, dtype=torch.float32).transformer.state_dict()
    folder = own_published / "transformer"
    (file,) = folder.glob("*.safetensors")
    state = load_file(file)
    file.unlink()
    names = sorted(state)
    places = {name: f"m-0000{i % 3 + 1}-of-00003.safetensors" for i, name in enumerate(names)}
    for shard in set(places.values()):
        save_file({n: state[n] for n in names if places[n] == shard}, folder / shard)
    save_file({"stray": torch.ones(1)}, folder / "other.fp16.safetensors")
    index = folder / "diffusion_pytorch_model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": places}))
    again = OmniAlpha.load(own_published, dtype=torch.float32).transformer.state_dict()
    assert all(torch.equal(again[name], whole[name]) for name in whole)
    (folder / "m-00002-of-00003.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="m-00002-of-00003"):
        OmniAlpha.load(own_published, dtype=torch.float32)


def test_a_pickle_is_refused(own_published):
    (file,) = (own_published / "transformer").glob("*.safetensors")
    torch.save({}, own_published / "transformer" / "diffusion_pytorch_model.bin")
    file.unlink()
    with pytest.raises(ValueError, match="is a pickle"):
        OmniAlpha.load(own_published, dtype=torch.float32)


def test_a_file_cut_short_is_named(own_published):
    (file,) = (own_published / "transformer").glob("*.safetensors")
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ValueError, match="no whole safetensors file"):
        OmniAlpha.load(own_published, dtype=torch.float32)


def test_the_transformer_of_a_single_file_loads(tmp_path):
    write_published(tmp_path, lora=False)
    before = published.load_transformer(tmp_path, "cpu", torch.float32).state_dict()
    (file,) = (tmp_path / "transformer").glob("*.safetensors")
    save_file({f"model.diffusion_model.{k}": v for k, v in load_file(file).items()}, file)
    after = published.load_transformer(tmp_path, "cpu", torch.float32).state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_the_folders_lora_is_merged(tmp_path):
    parts = write_published(tmp_path)
    merged = published.load_transformer(tmp_path, "cpu", torch.float32).transformer_blocks[1].attn.to_out[0].weight
    state = load_file(tmp_path / "lora" / "pytorch_lora_weights.safetensors")
    layer = "transformer.transformer_blocks.1.attn.to_out.0"
    plain = parts["transformer"].transformer_blocks[1].attn.to_out[0].weight
    product = state[f"{layer}.lora_B.weight"] @ state[f"{layer}.lora_A.weight"]
    assert torch.allclose(merged, plain + product, atol=1e-6)


def test_the_folders_lora_may_have_either_name_but_not_both(own_published):
    wanted = published.load_transformer(own_published, "cpu", torch.float32).state_dict()
    (own_published / "lora").rename(own_published / "rgba_lora")
    found = published.load_transformer(own_published, "cpu", torch.float32).state_dict()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)
    shutil.copytree(own_published / "rgba_lora", own_published / "lora")
    with pytest.raises(ValueError, match="holds both lora/ and rgba_lora/"):
        published.load_transformer(own_published, "cpu", torch.float32)


# Later bases of the same layout.


def as_2511(folder):
    """As Qwen-Image-Edit-2511 is: inputs have a sigma of 0."""
    config = folder / "transformer" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "zero_cond_t": True}))
    return folder


def test_edit_2511_equals_the_pipeline(edit_plus, tmp_path, monkeypatch):
    parts = write_published(tmp_path, channels=3, lora=False)
    kind = type(parts["transformer"])
    changed = kind(**{**parts["transformer"].config, "zero_cond_t": True}).eval()
    changed.load_state_dict(parts["transformer"].state_dict())
    size = (64, 96)
    for name in ("VAE_IMAGE_SIZE", "CONDITION_IMAGE_SIZE"):
        monkeypatch.setattr(edit_plus, name, size[0] * size[1])
    request = Request("a red cat", (as_input(opaque_pil(*size, 0)),), (size,), seed=7)
    plain = OmniAlpha.load(tmp_path, dtype=torch.float32)
    model = OmniAlpha.load(as_2511(tmp_path), dtype=torch.float32)
    found = our_latents(model, request, STEPS, 4.0)
    expected = latents_of_the_pipeline(edit_plus, {**parts, "transformer": changed}, model, request, STEPS, 4.0)
    assert relative_rms(found, expected) < 1e-4
    assert relative_rms(our_latents(plain, request, STEPS, 4.0), expected) > 0.01


def test_edit_2511_refuses_several_layers_by_name(own_published):
    model = OmniAlpha.load(as_2511(own_published), dtype=torch.float32)
    with pytest.raises(ValueError, match=r"one image at a time \(zero_cond_t\), and 2 are asked for"):
        model.run([KINDS["decomposition"]], STEPS)


def test_image_2512_loads_though_it_has_no_processor(tmp_path):
    write_published(tmp_path, channels=3, lora=False)
    shutil.rmtree(tmp_path / "processor")
    model = OmniAlpha.load(tmp_path, dtype=torch.float32)
    assert model.context_encoder.images == ImageSettings()
    assert model.run([KINDS["text-to-image"]], STEPS)[0][0].shape == (4, 64, 64)


# LoRAs that are added.


def lora_file(path, seed=1):
    torch.manual_seed(seed)
    save_file(lora_state(), path)
    return path


def test_loras_beside_the_weights_give_what_merged_ones_give(rgba, own_published, tmp_path):
    loras = [(lora_file(tmp_path / "a.safetensors"), 0.5), (lora_file(tmp_path / "b.safetensors", 2), -1.0)]
    request = KINDS["matting"]
    merged, beside = (
        OmniAlpha.load(own_published, dtype=torch.float32, loras=loras, merge_loras=way).run([request], STEPS)
        for way in (True, False)
    )
    assert torch.allclose(merged[0][0], beside[0][0], atol=1e-4)
    plain = rgba[1].run([request], STEPS)
    assert not torch.allclose(merged[0][0], plain[0][0], atol=1e-2)


def test_a_distillation_lora_brings_its_schedule_and_steps(own_published, tmp_path):
    from diffusers import FlowMatchEulerDiscreteScheduler

    file = lora_file(tmp_path / "Lightning-4steps.safetensors")
    model = OmniAlpha.load(own_published, dtype=torch.float32, distilled_lora=file)
    assert (model.defaults.steps, model.defaults.guidance) == (4, 1.0)
    theirs = FlowMatchEulerDiscreteScheduler(
        use_dynamic_shifting=True, base_shift=math.log(3), max_shift=math.log(3), base_image_seq_len=256,
        max_image_seq_len=8192, shift_terminal=None,
    )  # fmt: skip
    theirs.set_timesteps(sigmas=np.linspace(1, 1 / 4, 4), mu=math.log(3))
    assert schedule(4, 1000, model.schedule) == pytest.approx(theirs.sigmas.tolist(), abs=1e-6)
    merged = OmniAlpha.load(own_published, dtype=torch.float32, loras=[(file, 1.0)])
    assert torch.equal(
        model.transformer.transformer_blocks[0].attn.to_q.weight,
        merged.transformer.transformer_blocks[0].attn.to_q.weight,
    )
