"""What draws from words alone: used where there is no picture, it follows its words, and lies in a file of its own."""

from dataclasses import replace

import pytest
import torch
from tiny_model import tiny_model

from omnialpha_cli.model.config import TransformerConfig
from omnialpha_cli.model.generator import Generator
from omnialpha_cli.model.memory import Plan
from omnialpha_cli.model.omnialpha import OmniAlpha, Request
from omnialpha_cli.model.positions import Layout
from omnialpha_cli.model.transformer import Drawing
from omnialpha_cli.training.export import write_weights

DRAWN = Request("a red cat", (), ((32, 32),), seed=2)
SEEN = Request("a red cat", (torch.rand(4, 64, 64, generator=torch.Generator().manual_seed(1)),), ((64, 64),), seed=2)


def with_generator() -> OmniAlpha:
    """The tiny model with a generator of random weights, whose last layer is large enough to be seen."""
    model = tiny_model()
    config = replace(model.transformer.config, places=2)
    torch.manual_seed(1)
    context = model.context_encoder
    generator = Generator(config, context.tokenizer, context.words.weight).eval().requires_grad_(False)
    for parameter in generator.parameters():
        parameter.add_(torch.randn(parameter.shape) * 0.1)
    model.generator = generator
    return model


def test_it_draws_where_there_is_no_picture_and_only_there():
    model, without = with_generator(), tiny_model()
    assert torch.equal(model.run([SEEN])[0][0], without.run([SEEN])[0][0])
    drawn = model.run([DRAWN])[0][0]
    assert not torch.allclose(drawn, without.run([DRAWN])[0][0], atol=1e-3)
    assert torch.equal(drawn, model.drawing(model.generator).run([DRAWN])[0][0])


def test_it_is_staged_where_the_other_transformer_is_streamed():
    model = with_generator()
    for mode, own in (("resident", "resident"), ("staged", "staged"), ("stream", "staged")):
        planned = replace(model, memory=Plan(mode))
        assert planned.drawing(planned.generator).memory.mode == own
        assert torch.allclose(planned.run([DRAWN])[0][0], model.run([DRAWN])[0][0], atol=1e-5)


def test_a_call_may_have_both():
    model = with_generator()
    (seen,), (drawn,), (again,) = model.run([SEEN, DRAWN, replace(SEEN, seed=3)], guidance=2.0)
    for found, request in ((seen, SEEN), (drawn, DRAWN), (again, replace(SEEN, seed=3))):
        assert torch.allclose(found, model.run([request], guidance=2.0)[0][0], atol=1e-4)


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_the_words_and_the_seed_matter_and_the_company_does_not(guidance):
    model = with_generator()
    requests = [DRAWN, replace(DRAWN, prompt="cat"), replace(DRAWN, seed=3), replace(DRAWN, prompt="")]
    together = [layers[0] for layers in model.run(requests, guidance=guidance)]
    for i, picture in enumerate(together):
        assert torch.allclose(picture, model.run([requests[i]], guidance=guidance)[0][0], atol=1e-4)
        assert all(not torch.allclose(picture, other, atol=1e-4) for other in together[:i])


def test_places_are_those_of_every_target_at_its_own_size():
    config = TransformerConfig(attention_head_dim=2, num_attention_heads=2, joint_attention_dim=3, places=4)
    drawing = Drawing(config).requires_grad_(False)
    drawing.place.copy_(torch.arange(16.0).view(1, 1, 4, 4).expand(1, 4, 4, 4))
    places = drawing.places(Layout(((4, 4), (2, 2))))
    assert places.shape == (1, 20, 4)
    assert torch.equal(places[0, :16, 0], torch.arange(16.0))
    assert torch.allclose(places[0, 16:, 0], torch.tensor([2.5, 4.5, 10.5, 12.5]))


def test_what_is_padding_has_no_weight_in_the_words():
    config = TransformerConfig(attention_head_dim=2, num_attention_heads=2, joint_attention_dim=3, places=1)
    drawing = Drawing(config).requires_grad_(False)
    words, padding = torch.randn(1, 2, 3), torch.zeros(1, 4, 3)
    padded, mask = torch.cat((words, padding), 1), torch.tensor([[True] * 2 + [False] * 4])
    assert torch.allclose(drawing.words(padded, mask), drawing.words(words, None), atol=1e-6)
    nothing = drawing.words(words[:, :0], mask[:, :0])
    assert torch.equal(nothing, drawing.say.bias[None]) and torch.equal(drawing.words(padding, ~mask[:, 2:]), nothing)


def test_written_and_read_it_draws_the_same(tmp_path):
    model = with_generator()
    sizes = write_weights(model, "tiny", tmp_path)
    assert sizes["generator"][0] == sum(p.numel() for p in model.generator.parameters())
    loaded = OmniAlpha.load(tmp_path)
    assert loaded.generator.transformer.config == model.generator.transformer.config
    assert loaded.generator.context.table.data_ptr() == loaded.context_encoder.words.weight.data_ptr()
    difference = loaded.run([DRAWN])[0][0] - model.run([DRAWN])[0][0]
    assert float(difference.abs().max()) < 0.02  # 16 bits


def test_large_matrices_are_written_in_8_bits_and_read_back(tmp_path):
    from safetensors.torch import load_file

    model = tiny_model()
    wide = replace(model.transformer.config, num_attention_heads=8, num_layers=1, places=2)  # 512 × 128
    context = model.context_encoder
    model.generator = Generator(wide, context.tokenizer, context.words.weight).eval().requires_grad_(False)
    write_weights(model, "tiny", tmp_path)
    stored = load_file(tmp_path / "generator.safetensors")
    name = "transformer.transformer_blocks.0.img_mlp.net.0.proj.weight"
    assert stored[f"{name}.int8"].dtype == torch.int8
    assert stored["transformer.proj_out.weight"].dtype == torch.float16
    read, written = (m.generator.state_dict()[name] for m in (OmniAlpha.load(tmp_path), model))
    assert float((read - written).abs().max()) <= float(written.abs().max()) / 254 + 1e-6
