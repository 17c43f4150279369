"""What draws from words alone: used where there is no picture, it follows its words, and lies in a file of its own."""

from dataclasses import replace

import pytest
import torch
from tiny_model import tiny_model

from omnialpha_cli.lab.train.export import write_weights
from omnialpha_cli.lab.train.kinds import fit
from omnialpha_cli.model.memory import Plan
from omnialpha_cli.model.mini.generator import Generator, GeneratorConfig
from omnialpha_cli.model.mini.model import Mini
from omnialpha_cli.model.mini.sketch import BEFORE, BEHIND, cut, fitted
from omnialpha_cli.model.omnialpha import OmniAlpha, Request
from omnialpha_cli.model.positions import Layout
from omnialpha_cli.model.transformer import Transformer

DRAWN = Request("a red cat", (), ((32, 32),), seed=2, task="generate.foreground")
SEEN = Request("a red cat", (torch.rand(4, 64, 64, generator=torch.Generator().manual_seed(1)),), ((64, 64),), seed=2)


NAMES = ("red cat", "cat", "matte")
CONFIG = GeneratorConfig(names=len(NAMES), side=4, num_layers=2)


PLACES = ("red matte", "this")
BOTH = replace(CONFIG, backgrounds=len(PLACES), wide=(2, 4))


def with_generator(config: GeneratorConfig = CONFIG, beside: Transformer | None = None) -> Mini:
    """The tiny model with a generator of random weights, whose last layer is large enough to be seen."""
    model = tiny_model()
    model.transformer = beside or model.transformer
    torch.manual_seed(1)
    context = model.context_encoder
    generator = Generator(config, model.transformer.config, context.tokenizer, context.words.weight)
    generator.eval().requires_grad_(False)
    for parameter in generator.parameters():
        parameter.add_(torch.randn(parameter.shape) * 0.1)
    fit(generator.sketch, NAMES, ((),) * len(NAMES), torch.randn(len(NAMES), 16, config.side, config.side))
    if generator.backgrounds is not None:
        fit(generator.backgrounds, PLACES, ((),) * len(PLACES), torch.randn(len(PLACES), 16, *config.wide))
    model.specialists["generator"] = generator
    return model


def test_it_draws_where_there_is_no_picture_and_only_there():
    model, without = with_generator(), tiny_model()
    assert torch.equal(model.run([SEEN])[0][0], without.run([SEEN])[0][0])
    drawn = model.run([DRAWN])[0][0]
    assert not torch.allclose(drawn, without.run([DRAWN])[0][0], atol=1e-3)


def test_it_comes_and_goes_where_the_networks_do_not_fit_together():
    model = with_generator()
    for mode in ("staged", "stream"):
        planned = replace(model, memory=Plan(mode))
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


def test_at_first_it_sees_what_the_transformer_beside_it_sees():
    """Of the same weights, with no words to read and no sketch, both say the same of noise."""
    model = with_generator()
    transformer, generator = model.transformer, model.specialist("generator")
    layout = Layout(((2, 3),))
    generator.place.zero_(), generator.sketch_in.weight.zero_(), generator.sketch_in.bias.zero_()
    state = transformer.state_dict()
    shared = {name: state[name] for name in generator.state_dict() if name in state}
    assert all(any(part in name for name in shared) for part in ("to_q", "norm_k", "img_mlp", "img_mod", "norm_out"))
    generator.load_state_dict(shared, strict=False)
    x, sigma = torch.randn(2, 6, 64), torch.tensor([1.0, 0.4])
    silent = torch.ones(2, 1, 24), torch.zeros(2, 1, dtype=torch.bool)
    wanted = transformer(x, silent[0], sigma, layout, context_mask=silent[1])
    assert torch.allclose(generator(x, sigma, torch.zeros(2, 6, 64), layout), wanted, atol=1e-5)


def test_it_knows_where_a_token_is():
    model = with_generator()
    same = torch.zeros(1, 4, 64)
    drawn = model.specialist("generator")(same, torch.ones(1), same, Layout(((2, 2),)))
    assert float((drawn[0, 0] - drawn[0, 3]).abs().max()) > 1e-3


@pytest.mark.slow
def test_written_and_read_it_draws_the_same(tmp_path):
    model = with_generator()
    sizes = write_weights(model, "tiny", tmp_path)
    assert sizes["generator"][0] == sum(p.numel() for p in model.specialist("generator").parameters())
    loaded = OmniAlpha.load(tmp_path)
    assert loaded.specialist("generator").config == model.specialist("generator").config
    assert loaded.specialist("generator").sketch.table.data_ptr() == loaded.context_encoder.words.weight.data_ptr()
    difference = loaded.run([DRAWN])[0][0] - model.run([DRAWN])[0][0]
    assert float(difference.abs().max()) < 0.02  # 16 bits


def test_large_matrices_are_written_in_8_bits_and_read_back(tmp_path):
    from safetensors.torch import load_file

    wide = Transformer(replace(tiny_model().transformer.config, num_attention_heads=8, num_layers=1))  # 512 × 128
    model = with_generator(replace(CONFIG, num_layers=1), wide.requires_grad_(False))
    write_weights(model, "tiny", tmp_path)
    stored = load_file(tmp_path / "generator.safetensors")
    name = "transformer_blocks.0.img_mlp.net.0.proj.weight"
    assert stored[f"{name}.int8"].dtype == torch.int8
    assert stored["proj_out.weight"].dtype == torch.float16
    read, written = (m.specialist("generator").state_dict()[name] for m in (OmniAlpha.load(tmp_path), model))
    assert float((read - written).abs().max()) <= float(written.abs().max()) / 254 + 1e-6


def test_backgrounds_have_a_sketch_of_their_own():
    generator, layout = with_generator(BOTH).specialist("generator"), Layout(((2, 4),))
    place, thing = (
        generator.sketched([prompt], layout, background=behind)[0]
        for prompt, behind in ((f"{BEHIND} red matte", True), (f"{BEFORE} red cat", False))
    )
    assert torch.equal(place, fitted(generator.backgrounds(["red matte"]), layout, 2)[0])
    assert torch.equal(thing, fitted(generator.sketch(["red cat"]), layout, 2)[0])
    silent = (
        generator.sketched([prompt], layout, silent=True, background=behind)[0]
        for prompt, behind in ((f"{BEHIND} red matte", True), (f"{BEFORE} red cat", False))
    )
    wanted = generator.backgrounds([""]), generator.sketch([""])
    assert all(torch.equal(one, fitted(sketch, layout, 2)[0]) for one, sketch in zip(silent, wanted, strict=True))


def test_of_a_backgrounds_sketch_the_middle_is_seen():
    generator = with_generator(BOTH).specialist("generator")
    whole = generator.backgrounds(["this"])
    (square,) = generator.sketched([f"{BEHIND} this"], Layout(((1, 1),)), background=True)
    assert torch.equal(square, fitted(whole[..., 1:3], Layout(((1, 1),)), 2)[0])
    assert torch.equal(cut(whole, 0.5), whole) and cut(whole, 2.0).shape[2:] == (2, 1)


@pytest.mark.slow
def test_objects_and_backgrounds_are_drawn_in_one_call_and_read_back(tmp_path):
    model = with_generator(BOTH)
    thing, place = replace(DRAWN, prompt=f"{BEFORE} a red cat"), replace(DRAWN, prompt=f"{BEHIND} red matte")
    together = [layers[0] for layers in model.run([thing, place], guidance=2.0)]
    for request, picture in zip((thing, place), together, strict=True):
        assert torch.allclose(picture, model.run([request], guidance=2.0)[0][0], atol=1e-4)
    assert not torch.allclose(*together, atol=1e-3)
    write_weights(model, "tiny", tmp_path)
    loaded = OmniAlpha.load(tmp_path)
    assert loaded.specialist("generator").config == BOTH
    assert float((loaded.run([place])[0][0] - model.run([place])[0][0]).abs().max()) < 0.02  # 16 bits


@pytest.mark.parametrize(
    ("words", "subject"),
    [
        ("a red cat", "a red cat"),
        ("a red cat on a red matte", "a red cat"),
        ("a red cat In this", "a red cat"),
        ("a red matte", ""),  # a background that is known
        ("red matte with a cat", ""),
        ("on a cat", ""),  # a place
        ("", ""),
    ],
)
def test_the_subject_of_a_scene_is_like_an_object_and_like_no_background(words, subject):
    assert with_generator(BOTH).specialist("generator").subject(words) == subject


def test_what_is_like_nothing_known_is_a_subject_only_where_it_is_said_to_be_somewhere():
    generator = with_generator(BOTH).specialist("generator")
    generator.sketch.table.copy_(torch.eye(*generator.sketch.table.shape))  # all words are unlike
    generator.backgrounds.table.copy_(generator.sketch.table)
    fit(generator.sketch, ("cat", "red cat", "matte cat"), ((),) * 3, torch.randn(3, 16, 4, 4))
    fit(generator.backgrounds, ("red", "matte"), ((),) * 2, torch.randn(2, 16, 2, 4))
    assert generator.subject("a cat") == "a cat" and generator.subject("this") == ""
    assert generator.subject("this on a matte") == "this" and generator.subject("red on a matte") == ""


NAMED = replace(BOTH, known=NAMES, known_backgrounds=PLACES)


@pytest.mark.parametrize(
    ("words", "drawn"),
    [
        ("cat", ("cat", True, True)),
        ("a red cat", ("red cat", True, True)),
        ("the cat", ("cat", True, True)),
        ("a matte cat", ("cat", True, False)),  # of which nothing is matte
    ],
)
def test_it_says_which_known_name_words_are_drawn_as_and_whether_that_is_what_they_say(words, drawn):
    found = with_generator(NAMED).drawing(words, "generate.foreground")
    assert (found.name, found.is_near, found.is_asked) == drawn


def test_what_no_known_name_is_like_is_not_near():
    found = with_generator(NAMED).drawing("this", "generate.foreground")
    assert not found.is_near and not found.is_asked


def test_backgrounds_have_names_of_their_own():
    model = with_generator(NAMED)
    assert model.drawing("this", "generate.background").name == "this"
    assert model.drawing("this", "matte.auto") is None and tiny_model().drawing("cat", "generate.foreground") is None


def test_weights_whose_names_are_not_told_draw_what_they_draw():
    assert with_generator(BOTH).drawing("this", "generate.foreground") is None
