"""What draws from words alone, for the embedded weights: a transformer of its own, which no picture is given.

One of their size that mats does not learn to draw beside it. What words mean is the embedded context's table; how they
are read is learnt with the drawing.
"""

from collections.abc import Sequence

from tokenizers import Tokenizer
from torch import Tensor, nn

from .config import TransformerConfig
from .context import Context
from .context.mini import pad, word_ids, word_positions
from .transformer import Transformer


class WordContext(nn.Module):
    """Reads prompts. The table of words (vocabulary, D_words) is another's, and not part of its state."""

    table: Tensor

    def __init__(self, config: TransformerConfig, tokenizer: Tokenizer, table: Tensor):
        super().__init__()
        self.tokenizer, self.rope_canvas = tokenizer, config.rope_canvas or 1
        self.register_buffer("table", table.detach(), persistent=False)
        self.word_in = nn.Linear(table.shape[1], config.joint_attention_dim)

    def look(self, images: Sequence[Sequence[Tensor]]) -> None:
        """There is nothing to be seen."""

    def read(self, prompts: Sequence[str], seen: None = None) -> Context:
        """The context of `prompts`, one an item."""
        ids = [word_ids(self.tokenizer, prompt).to(self.table.device) for prompt in prompts]
        tokens, mask = pad([self.word_in(self.table[i]) for i in ids])
        positions = [word_positions(len(i), self.rope_canvas).to(tokens.device) for i in ids]
        return Context(tokens, mask, pad(positions)[0])


class Generator(nn.Module):
    """The transformer that draws, and what reads words for it."""

    def __init__(self, config: TransformerConfig, tokenizer: Tokenizer, table: Tensor):
        super().__init__()
        self.transformer = Transformer(config)
        self.context = WordContext(config, tokenizer, table)
