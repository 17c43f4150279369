"""The embedded context: words and image features, and where in a picture is what the words name."""

import pytest
import torch
from tiny_model import tiny_model

from omnialpha_cli.model.context.relevance import Relevance, named

SCENE = torch.cat([torch.rand(3, 64, 96, generator=torch.Generator().manual_seed(1)), torch.ones(1, 64, 96)])
NEAR = 4 * 6  # tokens at stride 16


@pytest.fixture(scope="module")
def context():
    return tiny_model().context_encoder


def image_tokens(context, prompt: str) -> torch.Tensor:
    found = context.encode([prompt], [[SCENE]])
    return found.tokens[0, found.positions[0, :, 0] == -1]  # (NEAR + NEAR / 4, dim)


@pytest.mark.parametrize(
    ("prompt", "words"),
    [("matte this", ""), ("matte this: red cat", "red cat"), ("matte: a cat: red", "a cat: red"), ("", "")],
)
def test_the_users_words_follow_the_colon(prompt, words):
    assert named(prompt) == words


def test_named_words_are_added_to_the_fine_tokens_alone(context):
    without, cat, red = (
        image_tokens(context, prompt) for prompt in ("matte this", "matte this: cat", "matte this: red")
    )
    assert torch.equal(without[NEAR:], cat[NEAR:])
    assert not torch.allclose(without[:NEAR], cat[:NEAR], atol=1e-4)
    assert not torch.allclose(red[:NEAR], cat[:NEAR], atol=1e-5)


def test_without_words_the_classifier_does_not_run(context, monkeypatch):
    def fail(*_):
        raise AssertionError("the classifier ran")

    monkeypatch.setattr(Relevance, "see", fail)
    context.encode(["matte this", ""], [[SCENE], [SCENE]])
    with pytest.raises(AssertionError):
        context.encode(["matte this: cat"], [[SCENE]])


def test_who_shares_the_batch_does_not_matter(context):
    alone = image_tokens(context, "matte this: cat")
    both = context.encode(["matte", "matte this: cat"], [[SCENE.flip(-1)], [SCENE]])
    shared = both.tokens[1, both.positions[1, :, 0] == -1]
    torch.testing.assert_close(shared, alone, atol=1e-5, rtol=1e-5)


def test_a_place_that_shows_a_class_is_relevant_to_its_name():
    relevance = Relevance(word_dim=8).requires_grad_(False)
    torch.nn.init.eye_(relevance.word_meaning.weight)
    torch.nn.init.zeros_(relevance.word_meaning.bias)
    word = torch.randn(8)
    relevance.meanings.weight.data[:, 7] = word
    features = torch.zeros(1, 320, 1, 2)
    features[0, 0, 0, 1] = 6.0  # shows in the second place alone
    for layer in (relevance.head, relevance.classes):
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    relevance.head.weight.data[0, 0] = 1.0
    relevance.classes.weight.data[7, 0] = 10.0
    seen = relevance.interpret(features)
    logits = relevance.compare(seen, relevance.mean(word[None])[None, None])[0, 0, 0]
    assert logits[1] == pytest.approx(float(relevance.scale + relevance.bias), abs=1e-3)  # a cosine of 1
    assert logits[0] < logits[1] - 2
