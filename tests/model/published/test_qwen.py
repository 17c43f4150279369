"""The published context against transformers' own forward pass and diffusers' pipeline."""

import pytest
import torch
from published_weights import text_encoder, tokenizer, write_published

from omnialpha_cli.model.published.qwen import AFTER, BEFORE, DROPPED, PICTURE, PLACE, QwenContext, published_name
from omnialpha_cli.model.published.qwen_images import patches

pytestmark = pytest.mark.slow  # importing diffusers and transformers takes seconds


def picture(h, w, seed):
    return torch.rand(4, h, w, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """The reference, and ours loaded from its files."""
    folder = tmp_path_factory.mktemp("published") / "weights"
    parts = write_published(folder)
    return parts["text_encoder"], QwenContext.load(folder, "cpu", torch.float32, transposed=True)


def whole_text(reference, ours, prompt, images):
    """What the reference makes of the whole text at once: inputs, and states after the beginning of the template."""
    cut = [patches(image, ours.images, ours.transposed) for image in images]
    pictures = "".join(PICTURE.format(i, PLACE * (h * w // 4)) for i, (_, (h, w)) in enumerate(cut, 1))
    ids = torch.tensor([tokenizer()(BEFORE + pictures + prompt + AFTER)["input_ids"]])
    inputs = {"input_ids": ids}
    if images:
        inputs["pixel_values"] = torch.cat([p for p, _ in cut])
        inputs["image_grid_thw"] = torch.tensor([(1, h, w) for _, (h, w) in cut])
        inputs["mm_token_type_ids"] = (ids == reference.config.image_token_id).int()
    return inputs


def states(reference, inputs):
    with torch.no_grad():
        return reference(**inputs, output_hidden_states=True).hidden_states[-1][0, DROPPED:]


IMAGES = [(picture(64, 96, 1),), (picture(64, 64, 2), picture(96, 32, 3)), (picture(96, 64, 4),) * 3]


@pytest.mark.parametrize("images", IMAGES, ids=["one", "two", "three"])
def test_both_prompts_after_one_look_equal_the_whole_text_read_at_once(pair, images):
    reference, ours = pair
    seen = ours.look([images])
    for prompt in ("a red cat", "", "a red cat"):
        expected = states(reference, whole_text(reference, ours, prompt, images))
        context = ours.read([prompt], seen)
        assert context.positions is None and bool(context.mask.all())
        assert torch.allclose(context.tokens[0], expected, atol=2e-5)


def test_positions_are_those_of_get_rope_index(pair):
    reference, ours = pair
    images = IMAGES[1]
    inputs = whole_text(reference, ours, "cat", images)
    expected, _ = reference.model.get_rope_index(
        inputs["input_ids"], inputs["mm_token_type_ids"], inputs["image_grid_thw"]
    )
    taken = []
    hook = ours.model.language_model.register_forward_pre_hook(
        lambda _, __, given: taken.append(given["position_ids"]), with_kwargs=True
    )
    ours.read(["cat"], ours.look([images]))
    hook.remove()
    assert torch.equal(torch.cat(taken, dim=-1), expected)


def test_without_token_types_the_reference_gives_other_states(pair):
    reference, ours = pair
    inputs = whole_text(reference, ours, "cat", IMAGES[0])
    with_types = states(reference, inputs)
    del inputs["mm_token_type_ids"]
    assert not torch.allclose(states(reference, inputs), with_types, atol=1e-3)


def test_without_pictures_it_equals_the_pipelines_prompt_embeddings(pair):
    from diffusers import QwenImageEditPlusPipeline

    reference, ours = pair
    pipeline = QwenImageEditPlusPipeline(None, None, reference, tokenizer(), None, None)
    pipeline.processor = lambda text, images, padding, return_tensors: tokenizer()(
        text, padding=padding, return_tensors=return_tensors
    )
    with torch.no_grad():
        expected, mask = pipeline._get_qwen_prompt_embeds("a red cat", None, torch.device("cpu"))
    context = ours.read(["a red cat"], ours.look([()]))
    assert torch.allclose(context.tokens, expected, atol=2e-5)
    assert torch.equal(context.mask, mask.bool())


def test_what_shares_the_batch_changes_nothing(pair):
    _, ours = pair
    prompts, images = ["a", "a long red cat", "cat"], [IMAGES[0], (), IMAGES[1]]
    together = ours.read(prompts, ours.look(images))
    for i, (prompt, item) in enumerate(zip(prompts, images, strict=True)):
        alone = ours.read([prompt], ours.look([item])).tokens[0]
        assert torch.equal(together.tokens[i, together.mask[i]], alone)
        assert int(together.mask[i].sum()) == len(alone)


def test_pictures_are_looked_at_once_and_plain_prompts_read_once(pair):
    _, ours = pair
    ours.prompts.clear()
    towers, passes = [], []
    hooks = [
        ours.model.visual.register_forward_hook(lambda *_: towers.append(1)),
        ours.model.language_model.register_forward_hook(lambda *_: passes.append(1)),
    ]
    seen = ours.look([IMAGES[1]])
    ours.read(["cat"], seen), ours.read([""], seen)
    assert (len(towers), len(passes)) == (1, 3)
    for _ in range(2):
        ours.read(["cat", "cat"], ours.look([(), ()]))
    assert (len(towers), len(passes)) == (1, 4)
    for hook in hooks:
        hook.remove()


def test_keys_of_older_and_newer_files_have_one_name():
    for old, new in (
        ("model.layers.0.mlp.up_proj.weight", "model.language_model.layers.0.mlp.up_proj.weight"),
        ("visual.merger.mlp.0.bias", "model.visual.merger.mlp.0.bias"),
    ):
        assert published_name(old) == published_name(new) == new.removeprefix("model.")
    assert published_name("lm_head.weight") is None


def test_every_key_of_the_reference_but_its_head_has_a_place():
    reference = text_encoder()
    names = {published_name(key) for key in reference.state_dict()} - {None}
    assert names == set(reference.model.state_dict())
