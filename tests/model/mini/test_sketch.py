"""Sketches: what words look like on average, by kernel ridge regression."""

import numpy as np
import pytest
import torch
from tiny_model import tiny_model

from omnialpha_cli.lab.train.kinds import RIDGE, TAGS, fit
from omnialpha_cli.model.mini.sketch import BEFORE, BEHIND, HEAD, SHARPNESS, Sketch, around_head, fitted
from omnialpha_cli.model.positions import Layout
from omnialpha_cli.model.transformer import unpack
from omnialpha_cli.tasks import TASKS

NAMES = ("red", "cat", "red cat", "matte")
NO_TAGS = ((),) * len(NAMES)


def sketch(names: int = len(NAMES), side: int = 2) -> Sketch:
    context = tiny_model().context_encoder
    table = torch.randn(context.words.weight.shape, generator=torch.Generator().manual_seed(1))
    return Sketch(names, 3, (side, side), context.tokenizer, table)


def looks(count: int = len(NAMES)) -> torch.Tensor:
    return torch.randn(count, 3, 2, 2, generator=torch.Generator().manual_seed(2))


def test_a_prompt_means_the_direction_of_its_words():
    of = sketch()
    red, cat, both = of.read(["red", "cat", "red cat"])
    assert torch.allclose(both, (red + cat) / (red + cat).norm(), atol=1e-6)
    assert torch.allclose(of.read(["red", "red cat"]).norm(dim=1), torch.ones(2))


def test_the_tasks_say_before_a_users_words_what_is_left_out():
    for before, name in ((BEFORE, "generate.foreground"), (BEHIND, "generate.background")):
        assert TASKS[name].prompt == f"{before} {{text}}"


@pytest.mark.parametrize("prompt", ["a cat", "cat", f"{BEFORE} a cat", f"{BEFORE} cat"])
def test_articles_and_what_the_task_says_before_mean_nothing(prompt):
    of = sketch()
    assert torch.equal(of.read([prompt]), of.read(["cat"]))


@pytest.mark.parametrize(
    ("prompt", "parts"),
    [
        ("a blue car", ("a blue", "car", "")),
        ("car", ("", "car", "")),
        ("an old man with a beard", ("an old", "man", "with a beard")),
        ("a slice of pizza", ("a slice of", "pizza", "")),
        ("a red apple, fruit", ("a red", "apple,", "fruit")),
        ("with", ("", "with", "")),
        ("", ("", "", "")),
    ],
)
def test_the_word_that_names_the_thing(prompt, parts):
    assert around_head(prompt) == parts


def test_the_word_that_names_the_thing_may_count_for_more():
    of = sketch()
    red, cat = of.read(["red", "cat"])
    assert torch.allclose(of.read(["a red cat"], head=3.0)[0], (red + 3 * cat) / (red + 3 * cat).norm(), atol=1e-6)
    assert torch.allclose(of.read(["cat"], head=3.0)[0], cat, atol=1e-6)


def test_of_no_words_it_is_the_mean():
    of = sketch()
    fit(of, NAMES, NO_TAGS, looks())
    assert torch.allclose(of(["", BEFORE, "a"]), looks().mean(0).expand(3, -1, -1, -1), atol=1e-6)


def test_it_is_kernel_ridge_regression():
    of = sketch()
    fit(of, NAMES, NO_TAGS, looks())
    x, y = of.read(NAMES).double().numpy(), looks().flatten(1).double().numpy()

    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.exp(-SHARPNESS * ((a[:, None] - b[None]) ** 2).sum(2))

    dual = np.linalg.solve(kernel(x, x) + RIDGE * np.eye(len(x)), y - y.mean(0))
    asked = of.settle(of.read(["this", "red matte", "cat"], HEAD)).double().numpy()
    wanted = y.mean(0) + kernel(asked, x) @ dual
    assert np.allclose(of(["this", "red matte", "cat"]).flatten(1).numpy(), wanted, atol=1e-5)


def test_a_new_name_is_as_the_known_one_that_is_most_like_it():
    of = sketch()
    fit(of, NAMES, NO_TAGS, looks())
    asked = torch.nn.functional.normalize(of.meanings + 0.1 * of.read(["this"]), dim=1)
    assert torch.allclose(of.settle(asked), of.meanings, atol=1e-3)
    assert torch.equal(of.settle(torch.zeros(1, 8)), torch.zeros(1, 8))


def test_what_is_like_a_name_is_known_by_its_tags_too():
    of = sketch(names=2)
    fit(of, ("red", "matte"), (("this",), ()), looks(2))
    assert torch.allclose(of.settle(of.read(["this"])), of.meanings[:1], atol=1e-3)
    both = of.read(["red"]) + TAGS * of.read(["this"])
    assert torch.allclose(of.tagged[0], torch.nn.functional.normalize(both)[0])
    assert torch.equal(of.tagged[1], of.meanings[1])


def test_between_two_that_are_equally_like_it_it_is_between():
    of = sketch(names=2)
    fit(of, ("cat", "matte"), ((), ()), looks(2))
    between = of.settle(of.read(["cat matte"]))
    assert torch.allclose(between, of.read(["cat matte"]), atol=1e-5)


def test_a_name_that_is_known_looks_more_like_itself_than_like_others():
    of = sketch()
    fit(of, NAMES, NO_TAGS, looks())
    errors = (of(NAMES)[:, None] - looks()[None]).square().flatten(2).mean(2)  # [asked, known]
    assert errors.argmin(1).tolist() == [0, 1, 2, 3]


def test_at_the_size_of_every_target():
    latents = looks(1)
    tokens = fitted(latents, Layout(((2, 2), (1, 1))), patch=2)
    assert tokens.shape == (1, 5, 12)
    assert torch.equal(unpack(tokens[:, 4:], 1, 1, 2), latents)
    assert torch.allclose(unpack(tokens[:, :4], 2, 2, 2).mean((2, 3)), latents.mean((2, 3)), atol=1e-6)
