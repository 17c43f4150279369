"""A tiny model of the embedded one's kind, with random weights: trained on nothing, claiming every task."""

from copy import deepcopy
from functools import cache

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import Whitespace
from torch import Tensor

from omnialpha_cli.api import OmniAlpha as Api
from omnialpha_cli.model.config import Defaults, TransformerConfig
from omnialpha_cli.model.mini.context import MiniContext, MiniContextConfig
from omnialpha_cli.model.mini.light_vae import LightVAE, LightVAEConfig
from omnialpha_cli.model.mini.model import Mini
from omnialpha_cli.model.omnialpha import Prediction
from omnialpha_cli.model.sampler import Schedule
from omnialpha_cli.model.transformer import Transformer
from omnialpha_cli.tasks import TASKS

WORDS = ("[UNK]", "a", "red", "cat", "matte", "this")


def tiny_model(prediction: Prediction = "residual", steps: int = 2) -> Mini:
    """A model of its own for each caller; what is drawn after it is always the same."""
    networks, generator = _drawn()
    torch.set_rng_state(generator)
    transformer, vae, context = deepcopy(networks)
    return Mini(
        transformer,
        vae,
        context,
        prediction,
        tasks=tuple(TASKS),
        defaults=Defaults(steps=steps, guidance=1.0, canvas=64),
        schedule=Schedule(shift_terminal=None),
    )


@cache  # to draw the weights takes longer than to copy them
def _drawn() -> tuple[tuple[Transformer, LightVAE, MiniContext], Tensor]:
    """The networks, and the state of the generator after them."""
    torch.manual_seed(0)
    tokenizer = Tokenizer(WordPiece({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    config = TransformerConfig(
        num_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=24,
        axes_dims_rope=(4, 6, 6),
        rope_canvas=16,
    )
    transformer = Transformer(config)
    vae = LightVAE(LightVAEConfig(channels=(8, 8, 8), blocks=(1, 1, 1)))
    context = MiniContext(MiniContextConfig(dim=24, vocabulary=len(WORDS), word_dim=8), tokenizer)
    torch.nn.init.eye_(context.words.weight.data)  # no two words mean the same
    # Drawn last, so that the rest does not depend on it.
    relevance = list(context.relevance.parameters())
    apart, others = {id(parameter) for parameter in relevance}, []
    for module in (transformer, context, vae):
        module.eval().requires_grad_(False)
        others += [parameter for parameter in module.parameters() if id(parameter) not in apart]
    for parameter in (*others, *relevance):
        parameter.add_(torch.randn(parameter.shape) * 0.05)
    return (transformer, vae, context), torch.get_rng_state()


def in_api(model: Mini) -> Api:
    """The same model behind the Python API."""
    return Api(model)
