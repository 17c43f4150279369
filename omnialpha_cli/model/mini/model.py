"""Run the embedded model: the paper's three parts, and specialists that serve or help some tasks.

Specialists are small networks beside the transformer. Loading, export and training go by their table, `SPECIALISTS`.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .. import sampler
from ..memory import present
from ..omnialpha import Batches, OmniAlpha
from ..parts import VAE, ContextEncoder
from ..request import Layers, Request, by_layout, over_white
from ..transformer import Transformer
from .context import MiniContext
from .detail import Detail
from .effects import Effects
from .generator import Generator, GeneratorConfig, without_grid
from .inpainter import Inpainter
from .segmenter import Confidence, Segmenter, without_doubtful_parts
from .sketch import Drawing


class WhenNeeded:
    """Read a part of a model from its file when it is first used; a descriptor of a dataclass's field."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, model: "Mini | None", owner: type) -> Any:
        """Return the part. Raises AttributeError of the class itself: the field has no default."""
        if model is None:
            raise AttributeError(self.name)
        return model.part(model.__dict__, self.name)

    def __set__(self, model: "Mini", part: Any) -> None:
        model.__dict__[self.name] = part


@dataclass
class Mini(OmniAlpha):
    """Extend OmniAlpha by a table of specialists by their names in `SPECIALISTS`.

    What is still in its file is read when a task first needs it. `confidence` is None where it was not calibrated.
    """

    transformer: Transformer = WhenNeeded()  # type: ignore[assignment]
    vae: VAE = WhenNeeded()  # type: ignore[assignment]
    context_encoder: ContextEncoder = WhenNeeded()  # type: ignore[assignment]
    specialists: dict[str, nn.Module | partial[nn.Module]] = field(default_factory=dict)
    confidence: Confidence | None = None
    _reading: threading.RLock = field(default_factory=threading.RLock, repr=False, compare=False)

    def part(self, table: dict[str, Any], name: str) -> Any:
        """Return a network of a table of them, read from its file if it was not yet."""
        with self._reading:  # again within itself: the generator is built beside other parts
            if isinstance(table[name], partial):
                table[name] = table[name](self)
            return table[name]

    def specialist(self, name: str) -> Any:
        """Return a specialist, of the class of its row in `SPECIALISTS`; None where the weights have none so called."""
        return self.part(self.specialists, name) if name in self.specialists else None

    def _present(self, network: nn.Module) -> AbstractContextManager[None]:
        """Keep a network on the device inside, wherever it waits."""
        return present(network, self.device, staged=self.memory.mode != "resident")

    @property
    def one_thread_each(self) -> bool:
        """Return True but where networks come to the device in turn, which one thread at a time can do."""
        return self.memory.mode == "resident"

    def batches(self, requests: Sequence[Request], steps: int, scale: float, batch_size: int | None) -> Batches:
        """Yield as an OmniAlpha does; requests of tasks that a specialist serves go to that, task by task."""
        rows = [SPECIALISTS[name] for name in self.specialists]
        servers = {task: partial(self._served, row.name, serve) for row in rows for task, serve in row.serves.items()}
        by_task: dict[str | None, list[int]] = {}
        for place, request in enumerate(requests):
            by_task.setdefault(request.task if request.task in servers else None, []).append(place)
        for task, places in by_task.items():
            run = super().batches if task is None else servers[task]
            for members, layers in run([requests[i] for i in places], steps, scale, batch_size):
                yield [places[i] for i in members], layers

    def _served(
        self, name: str, serve: "Serve", requests: Sequence[Request], steps: int, scale: float, batch_size: int | None
    ) -> Batches:
        network = self.specialist(name)
        with self._present(network):
            for part in by_layout(requests, batch_size):
                yield part, serve(self, network, [requests[i] for i in part], steps, scale)

    def segment(self, network: Segmenter, batch: Sequence[Request], *_: float) -> list[list[Tensor]]:
        """Return the subjects of pictures: RGBA (4, H, W), the colours being the pictures' own."""
        pictures = torch.stack([self._to_device(over_white(request.inputs[0])) for request in batch])  # (B, 3, H, W)
        reduced = network.reduced(pictures)
        undecided = without_doubtful_parts(network.undecided(pictures), reduced)
        chances = self.confidence(undecided, reduced).tolist() if self.confidence else [None] * len(batch)
        alpha = network.full_size(undecided, pictures)
        rgba = torch.cat((pictures, alpha[:, None]), 1).float().cpu()  # (B, 4, H, W)
        return [Layers([picture], chance) for picture, chance in zip(rgba, chances, strict=True)]

    def inpaint(self, network: Inpainter, batch: Sequence[Request], *_: float) -> list[list[Tensor]]:
        """Return what is behind the objects of requests with an inpaint mask: opaque RGBA (4, H, W)."""
        filled = torch.stack([self._to_device(request.inputs[0][:3]) for request in batch])  # (B, 3, H, W)
        masks = [self._to_device(request.inpaint_mask[None]) for request in batch if request.inpaint_mask is not None]
        painted = network(filled, torch.stack(masks)).float().clamp(0, 1)
        return [[picture] for picture in F.pad(painted, (0, 0, 0, 0, 0, 1), value=1.0).cpu()]

    def draw(self, network: Generator, batch: Sequence[Request], steps: int, scale: float) -> list[list[Tensor]]:
        """Return what is drawn from words alone."""
        layout, background = batch[0].layout, batch[0].task == "generate.background"
        sigmas = sampler.schedule(steps, layout.num_targets, self.schedule)
        prompts = [request.prompt for request in batch]
        clean = network.sample(prompts, self.noise(batch), sigmas, scale, layout, background)
        return [[without_grid(layer) for layer in layers] for layers in self.decode(clean, layout)]

    @torch.inference_mode()
    def relevance(self, picture: Tensor, words: str) -> Tensor:
        """Return logits (H/16, W/16), float32 on the CPU, of how relevant places of RGBA (4, H, W) are to `words`."""
        assert isinstance(self.context_encoder, MiniContext)
        with self._present(self.context_encoder):
            return self.context_encoder.relevance_of(self._to_device(picture), words).float().cpu()

    @torch.inference_mode()
    def drawing(self, words: str, task: str) -> Drawing | None:
        """Return what words are drawn as in a task that draws from words alone, as OmniAlpha says."""
        if task not in SPECIALISTS["generator"].serves or (network := self.specialist("generator")) is None:
            return None
        with self._present(network):
            found: Drawing | None = network.drawing(words, task == "generate.background")
            return found

    @torch.inference_mode()
    def subject(self, words: str) -> str:
        """Return what of the words for a scene is an object before a background, "" if there is none."""
        if (network := self.specialist("generator")) is None:
            return super().subject(words)
        with self._present(network):
            return str(network.subject(words))

    @torch.inference_mode()
    def shadow_gains(self, picture: Tensor, mask: Tensor) -> Tensor | None:
        """Return by how much (3, H, W) a picture is to be lightened to lose its object's shadows, as OmniAlpha says."""
        if (network := self.specialist("effects")) is None:
            return None
        gains: Tensor = network.gains(self._to_device(picture[:3]), self._to_device(mask))
        return gains.float().cpu()

    @torch.inference_mode()
    def refined(self, plate: Tensor, colours: Tensor, alpha: Tensor, trimap: Tensor | None) -> Tensor | None:
        """Return alpha (H, W) as the plate's pixels tell it, as OmniAlpha says."""
        if (network := self.specialist("detail")) is None:
            return None
        hint = None if trimap is None else self._to_device(trimap)
        found: Tensor = network.refined(*(self._to_device(one) for one in (plate, colours, alpha)), hint)
        return found.float().cpu()


Build = Callable[[Mapping[str, Any], OmniAlpha], nn.Module]  # from what `config.json` says, for a model
Serve = Callable[
    [Mini, Any, Sequence[Request], int, float], list[list[Tensor]]
]  # with its network, a batch of a layout


@dataclass(frozen=True)
class Specialist:
    """Describe a specialist; weights have it if they have `NAME.safetensors`.

    It `serves` tasks in the transformer's place, each by a method of `Mini`; without any it helps others. `waits_with`
    says where it waits while memory is short: with the context encoder, or with the VAE.
    """

    name: str
    build: Build
    serves: Mapping[str, Serve] = field(default_factory=dict)
    waits_with: Literal["context", "vae"] = "vae"


def _generator(config: Mapping[str, Any], model: OmniAlpha) -> Generator:
    context = model.context_encoder
    assert isinstance(context, MiniContext)
    own = GeneratorConfig.from_dict(config)
    return Generator(own, model.transformer.config, context.tokenizer, context.words.weight)


SPECIALISTS: dict[str, Specialist] = {
    row.name: row
    for row in (
        Specialist("segmenter", lambda *_: Segmenter(), {"matte.auto": Mini.segment}),
        Specialist("detail", lambda *_: Detail()),
        Specialist("effects", lambda *_: Effects()),
        Specialist("inpainter", lambda *_: Inpainter(),
                   dict.fromkeys(("remove.trimap", "remove.mask", "remove.rough-mask"), Mini.inpaint)),
        Specialist("generator", _generator,
                   dict.fromkeys(("generate.foreground", "generate.background"), Mini.draw), "context"),
    )
}  # fmt: skip
