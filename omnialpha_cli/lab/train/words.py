"""Prune a pretrained word-piece table to the pieces that captions use, for the embedded context."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from tokenizers import Tokenizer
from torch import Tensor

UNKNOWN = "[UNK]"
TABLE_KEY = "embeddings.word_embeddings.weight"


def prune(source: Path, size: int, texts: Iterable[str]) -> tuple[Tokenizer, Tensor]:
    """Return a tokenizer of `size` pieces and its table, from a BERT-style model's folder.

    Kept are: every single character, every piece that `texts` use, then the pieces with the lowest ids, which in such
    vocabularies are the most frequent. Table (size, word_dim), rows of unit norm.
    """
    spec: dict[str, Any] = json.loads((source / "tokenizer.json").read_text())
    full: dict[str, int] = spec["model"]["vocab"]
    tokenizer = Tokenizer.from_str(json.dumps({**spec, "padding": None, "truncation": None}))
    used = {piece for text in texts for piece in tokenizer.encode(text, add_special_tokens=False).tokens}
    by_id = sorted(full, key=full.__getitem__)
    characters = {p for p in by_id if len(p.removeprefix("##")) == 1 and p.isascii()}
    keep = [UNKNOWN, *sorted(characters | used - {UNKNOWN}, key=full.__getitem__)]
    chosen = set(keep)
    plain = (p for p in by_id if p not in chosen and not p.startswith("[") and p.removeprefix("##").isascii())
    keep += [p for p, _ in zip(plain, range(size - len(keep)), strict=False)]
    if len(keep) != size:
        raise ValueError(f"{source}: {len(keep)} word pieces, not {size}")
    spec["model"]["vocab"] = {piece: i for i, piece in enumerate(keep)}
    added = [{**t, "id": 0} for t in spec["added_tokens"] if t["content"] == UNKNOWN]
    pruned = {**spec, "added_tokens": added, "padding": None, "truncation": None, "post_processor": None}
    with safe_open(source / "model.safetensors", framework="pt") as file:
        table = file.get_tensor(TABLE_KEY)[[full[p] for p in keep]].float()  # (size, word_dim)
    return Tokenizer.from_str(json.dumps(pruned)), torch.nn.functional.normalize(table, dim=-1)
