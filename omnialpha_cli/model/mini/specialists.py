"""List the specialists: small networks beside the transformer, each for some tasks.

A row is all that loading, export, training and the card need; weights have it if they have `NAME.safetensors`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from torch import nn

from ..omnialpha import OmniAlpha
from .context import MiniContext
from .detail import Detail
from .effects import Effects
from .generator import Generator, GeneratorConfig
from .inpainter import Inpainter
from .segmenter import Segmenter

Build = Callable[[Mapping[str, Any], OmniAlpha], nn.Module]  # from what `config.json` says, for a model


@dataclass(frozen=True)
class Specialist:
    """Describe a specialist: the tasks that it `serves` in the transformer's place; without any it helps others.

    `waits_with` says where it waits while memory is short: with the context encoder, or with the VAE.
    """

    name: str
    does: str
    build: Build
    serves: tuple[str, ...] = ()
    waits_with: Literal["context", "vae"] = "vae"


def _generator(config: Mapping[str, Any], model: OmniAlpha) -> nn.Module:
    own, context = GeneratorConfig.from_dict(config), model.context_encoder
    assert isinstance(context, MiniContext)
    return Generator(own, model.transformer.config, context.tokenizer, context.words.weight)


SPECIALISTS: dict[str, Specialist] = {
    row.name: row
    for row in (
        Specialist("segmenter", "decides which pixels belong to the subject", lambda *_: Segmenter(), ("matte.auto",)),
        Specialist("detail", "refines a matte by the plate's own pixels", lambda *_: Detail()),
        Specialist("effects", "finds an object's shadows and reflections", lambda *_: Effects()),
        Specialist("inpainter", "paints what is behind an object", lambda *_: Inpainter(),
                   ("remove.trimap", "remove.mask", "remove.rough-mask")),
        Specialist("generator", "draws objects and backgrounds from words", _generator,
                   ("generate.foreground", "generate.background"), "context"),
    )
}  # fmt: skip
