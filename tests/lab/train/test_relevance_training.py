"""The words' relevance: starts from the classes' names, and learns how people's words are to be read."""

from dataclasses import replace

import pytest
import torch
from test_stages import published_backbone
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import Whitespace

from omnialpha_cli.lab.train.loop import Schedule
from omnialpha_cli.lab.train.relevance import named_classes, objective, train_words_alone, word_ids
from omnialpha_cli.lab.train.stages import canvas_size
from omnialpha_cli.lab.train.triplets import draw_pair
from omnialpha_cli.status import UsageError

NAMES = [f"n{i}" for i in range(1000)]


@pytest.fixture(scope="module")
def words():
    vocabulary = ["[UNK]", *NAMES, "red", "blue", "disc", "plate"]
    tokenizer = Tokenizer(WordPiece({word: i for i, word in enumerate(vocabulary)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    return tokenizer, torch.randn(len(vocabulary), 16, generator=torch.Generator().manual_seed(0))


def test_at_first_a_class_means_its_name(words):
    relevance = named_classes(published_backbone(), NAMES, *words).requires_grad_(False)
    for number in (0, 517, 999):
        meant = relevance.mean(words[1][word_ids(words[0], NAMES[number])])
        assert float(meant @ relevance.meanings.weight[:, number]) == pytest.approx(1, abs=1e-4)


def test_names_have_to_be_as_many_as_classes(words):
    with pytest.raises(UsageError, match="3 names"):
        named_classes(published_backbone(), NAMES[:3], *words)


def test_pairs_have_two_names_and_do_not_cover_each_other(material):
    material = replace(
        material,
        cutouts=[replace(p, label="plate") for p in material.foregrounds],
        foregrounds=[replace(p, label="disc") for p in material.foregrounds],
    )
    for seed in range(5):
        pair = draw_pair(material, (64, 96), torch.Generator().manual_seed(seed))
        assert set(pair.labels) == {"disc", "plate"}
        assert pair.scene.shape == (3, 64, 96) and pair.alphas.shape == (2, 64, 96)
        assert pair.alphas.sum(0).max() <= 1 + 1e-5
        assert pair.alphas.flatten(1).mean(1).min() > 0


def test_only_the_reading_of_words_learns(material, words):
    material = replace(
        material,
        cutouts=[replace(p, label="plate") for p in material.foregrounds],
        foregrounds=[replace(p, label="disc") for p in material.foregrounds],
    )
    relevance = named_classes(published_backbone(), NAMES, *words)
    train_words_alone(relevance)
    schedule = Schedule(steps=1, lr=1e-3, batch=2, size=64)
    aim = objective(material, *words, schedule, canvas_size, torch.device("cpu"))
    batch = aim.ready(aim.draw(0, 0, torch.Generator().manual_seed(0)))
    value, figures = aim.loss(relevance, batch, 0)
    value.backward()
    learns = {name for name, p in relevance.named_parameters() if p.grad is not None}
    assert learns == {
        "scale", "bias", "importance.weight", "importance.bias", "word_meaning.weight", "word_meaning.bias"
    }  # fmt: skip
    assert 0 <= figures["right"] <= 1
    assert torch.isfinite(value)
