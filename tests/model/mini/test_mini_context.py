"""The embedded context: words and image features; and, apart, where in a picture is what words name."""

import pytest
import torch
from tiny_model import tiny_model

from omnialpha_cli.model.mini.context import TOKENIZER_FILE, load_tokenizer
from omnialpha_cli.model.mini.relevance import Relevance

SCENE = torch.cat([torch.rand(3, 64, 96, generator=torch.Generator().manual_seed(1)), torch.ones(1, 64, 96)])


@pytest.fixture(scope="module")
def context():
    return tiny_model().context_encoder


def test_a_map_of_relevance_has_the_grid_of_the_fine_tokens(context):
    assert context.relevance_of(SCENE, "red cat").shape == (4, 6)


def test_other_words_are_relevant_elsewhere(context):
    cat, red = (context.relevance_of(SCENE, words) for words in ("cat", "red"))
    assert not torch.allclose(cat, red, atol=1e-5)


def test_no_words_are_relevant_nowhere_more_than_elsewhere(context):
    assert context.relevance_of(SCENE, "").unique().numel() == 1


def test_prompts_alone_do_not_run_the_classifier(context, monkeypatch):
    def fail(*_):
        raise AssertionError("the classifier ran")

    monkeypatch.setattr(Relevance, "locate", fail)
    context.read(["matte this: cat", ""], context.look([[SCENE], [SCENE]]))


def test_who_shares_the_batch_does_not_matter(context):
    alone = context.read(["matte this cat"], context.look([[SCENE]]))
    both = context.read(["matte", "matte this cat"], context.look([[SCENE.flip(-1)], [SCENE]]))
    torch.testing.assert_close(both.tokens[1, both.mask[1]], alone.tokens[0], atol=1e-5, rtol=1e-5)


def test_a_place_that_shows_a_class_is_relevant_to_its_name():
    torch.manual_seed(0)
    relevance = Relevance(word_dim=8).requires_grad_(False)
    torch.nn.init.eye_(relevance.word_meaning.weight)
    torch.nn.init.zeros_(relevance.word_meaning.bias)
    word, other = torch.eye(8)[:2]
    relevance.meanings.weight.data[:] = other[:, None]
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


def test_damaged_word_pieces_name_their_file(tmp_path):
    (tmp_path / TOKENIZER_FILE).write_text('{"model": 1')
    with pytest.raises(ValueError, match=r"tokenizer\.json is missing or damaged"):
        load_tokenizer(tmp_path)
