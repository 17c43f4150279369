"""OmniAlpha put together: several RGBA images and a prompt in, several RGBA images out, in one pass.

    context · encode · denoise · decode

are methods, which a runner may schedule; `run` composes them. Requests of one call may differ in everything: they are
grouped by their exact `Layout`, and only the context is padded.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, Self

import torch
from safetensors.torch import load_file
from torch import Tensor

from . import sampler
from .config import FromDict, TransformerConfig, VAEConfig
from .context import Context
from .context.mini import PATCH, MiniContext, MiniContextConfig, load_tokenizer
from .light_vae import LightVAE, LightVAEConfig
from .positions import Layout
from .transformer import Prepared, Transformer, pack, unpack
from .vae import AlphaVAE

Prediction = Literal["velocity", "residual"]


@dataclass(frozen=True)
class Defaults(FromDict):
    """What the weights work best with.

    `canvas` is the side in pixels of the square that has the canvas's area; the canvas's sides are multiples of
    `multiple`.
    """

    steps: int = 50
    guidance: float = 4.0
    canvas: int = 1024
    multiple: int = 32


@dataclass(frozen=True)
class Request:
    """One item: `inputs` are RGBA (4, H, W) in [0, 1], straight, sRGB-encoded.

    `targets` are the (H, W) in pixels of the images to make. Sides are multiples of 16, those of inputs of 32 for the
    embedded context.
    """

    prompt: str
    inputs: tuple[Tensor, ...]
    targets: tuple[tuple[int, int], ...]
    seed: int = 0

    @property
    def layout(self) -> Layout:
        """Sizes in patches."""
        return Layout(
            tuple((h // PATCH, w // PATCH) for h, w in self.targets),
            tuple((i.shape[-2] // PATCH, i.shape[-1] // PATCH) for i in self.inputs),
        )


class VAE(Protocol):
    """RGBA (B, 4, H, W) in [−1, 1] ↔ normalised latents (B, 16, H/8, W/8)."""

    def encode(self, rgba: Tensor) -> Tensor:
        """To latents."""

    def decode(self, z: Tensor, clamp: bool = True) -> Tensor:
        """To pixels."""


@dataclass
class OmniAlpha:
    """A loaded model. `prediction` says what the transformer's output means; only `denoise` needs to know."""

    transformer: Transformer
    vae: VAE
    context_encoder: MiniContext
    prediction: Prediction = "velocity"
    tasks: tuple[str, ...] = ()
    defaults: Defaults = field(default_factory=Defaults)
    schedule: sampler.Schedule = sampler.PUBLISHED
    device: torch.device | str = "cpu"
    dtype: torch.dtype = torch.float32

    @classmethod
    def load(cls, folder: str | Path, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32) -> Self:
        """Load a weights folder (`config.json`, `*.safetensors`).

        Raises OSError, KeyError, ValueError or RuntimeError when a file is missing or does not fit its configuration.
        """
        folder, device = Path(folder), torch.device(device)
        config = json.loads((folder / "config.json").read_text())
        context_config = MiniContextConfig.from_dict(config["context"])
        tokenizer = load_tokenizer(folder)
        with torch.device("meta"):
            transformer = Transformer(TransformerConfig.from_dict(config["transformer"]))
            context_encoder = MiniContext(context_config, tokenizer)
            vae = build_vae(config["vae"])
        for name, module in (("transformer", transformer), ("context", context_encoder), ("vae", vae)):
            module.load_state_dict(read_tensors(folder / f"{name}.safetensors", device, dtype), assign=True)
            module.eval().requires_grad_(False)
            # Convolutions are fastest so; matrices are not touched.
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return cls(
            transformer=transformer,
            vae=vae,
            context_encoder=context_encoder,
            prediction=config.get("prediction", "velocity"),
            tasks=tuple(config.get("tasks", ())),
            defaults=Defaults.from_dict(config.get("defaults", {})),
            schedule=sampler.Schedule.from_dict(config.get("schedule", {})),
            device=device,
            dtype=dtype,
        )

    @torch.inference_mode()
    def run(
        self, requests: Sequence[Request], steps: int | None = None, guidance: float | None = None
    ) -> list[list[Tensor]]:
        """One list of RGBA (4, H, W) float32 CPU tensors in [0, 1] a request, in the order of its targets.

        `steps` and `guidance` replace the weights' defaults; guidance 1 is none. What shares a call changes a result by
        no more than rounding: noise is drawn per item.
        """
        results: list[list[Tensor]] = [[] for _ in requests]
        groups: dict[Layout, list[int]] = {}
        for i, request in enumerate(requests):
            groups.setdefault(request.layout, []).append(i)
        for layout, members in groups.items():
            layers = self._run_group(layout, [requests[i] for i in members], steps, guidance)
            for i, images in zip(members, layers, strict=True):
                results[i] = images
        return results

    def _run_group(
        self, layout: Layout, requests: list[Request], steps: int | None, guidance: float | None
    ) -> list[list[Tensor]]:
        scale = self.defaults.guidance if guidance is None else guidance
        contexts = self.context(requests, guided=scale != 1)
        inputs = self.encode(requests)
        sigmas = sampler.schedule(steps or self.defaults.steps, layout.num_targets, self.schedule)
        prepared = [self.prepare(inputs, context, layout) for context in contexts]
        anchor = self.anchor(inputs, layout)

        def velocity(x: Tensor, sigma: float) -> Tensor:
            at = x.new_full((len(x),), sigma)
            predictions = [self.denoise(x, at, p, anchor) for p in prepared]
            return predictions[0] if len(predictions) == 1 else sampler.guide(predictions[0], predictions[1], scale)

        return self.decode(sampler.euler(velocity, self.noise(requests), sigmas), layout)

    def context(self, requests: Sequence[Request], guided: bool) -> list[Context]:
        """The context of every request; when `guided`, a second one with the empty prompt. Images are seen once."""
        images = [[self._to_device(i) for i in r.inputs] for r in requests]
        seen = self.context_encoder.look(images)
        contexts = [self.context_encoder.read([r.prompt for r in requests], seen)]
        if guided:
            contexts.append(self.context_encoder.read([""] * len(requests), seen))
        return contexts

    def encode(self, requests: Sequence[Request]) -> list[Tensor]:
        """Latents of the inputs, of requests of one layout: for input k (B, 16, H_k/8, W_k/8)."""
        return [
            self.vae.encode(torch.stack([self._to_device(image) for image in images]) * 2 - 1)
            for images in zip(*(r.inputs for r in requests), strict=True)
        ]

    def noise(self, requests: Sequence[Request]) -> Tensor:
        """Packed noise of the targets (B, N_targets, C·p²), drawn per item in float32 on the CPU."""
        channels, patch = self.transformer.config.out_channels, self.transformer.config.patch_size
        items = []
        for request in requests:
            shapes = [(channels, h // 8, w // 8) for h, w in request.targets]
            drawn = sampler.draw_noise(shapes, request.seed)
            items.append(torch.cat([pack(n[None], patch)[0] for n in drawn]))  # (N_targets, C·p²)
        return self._to_device(torch.stack(items))

    def prepare(self, inputs: Sequence[Tensor], context: Context, layout: Layout) -> Prepared:
        """The transformer's sigma-independent part, from the inputs' latents."""
        config = self.transformer.config
        empty = context.tokens.new_zeros(len(context.tokens), 0, config.in_channels)
        tokens = torch.cat([empty, *(pack(z, config.patch_size) for z in inputs)], dim=1)  # (B, N_inputs, C·p²)
        return self.transformer.prepare(tokens, context.tokens, layout, context.mask, context.positions)

    def anchor(self, inputs: Sequence[Tensor], layout: Layout) -> Tensor | float:
        """What a residual is relative to, packed (B, N_targets, C·p²).

        For every target the latents of the first input of its shape, else zero.
        """
        if self.prediction == "velocity" or not inputs:
            return 0.0
        patch = self.transformer.config.patch_size
        parts = []
        for h, w in layout.targets:
            same = next((z for z, size in zip(inputs, layout.inputs, strict=True) if size == (h, w)), None)
            like = inputs[0].new_zeros(len(inputs[0]), h * w, self.transformer.config.in_channels)
            parts.append(like if same is None else pack(same, patch))
        return torch.cat(parts, dim=1)

    def denoise(self, x: Tensor, sigma: Tensor, prepared: Prepared, anchor: Tensor | float) -> Tensor:
        """Velocity (noise − clean) at target tokens x (B, N_targets, C·p²) and sigma (B,) > 0."""
        return self.as_velocity(self.transformer.step(x, sigma, prepared), x, sigma, anchor)

    def as_velocity(self, output: Tensor, x: Tensor, sigma: Tensor, anchor: Tensor | float) -> Tensor:
        """What the transformer's output says, as a velocity: a residual gives the clean latents anchor + output."""
        if self.prediction == "velocity":
            return output
        return (x - (anchor + output)) / sigma.view(-1, 1, 1).to(x.dtype)

    def decode(self, x: Tensor, layout: Layout) -> list[list[Tensor]]:
        """Clean target tokens (B, N_targets, C·p²) → for each item its RGBA (4, H, W) in [0, 1], float32 on the CPU."""
        patch, start, layers = self.transformer.config.patch_size, 0, []
        for h, w in layout.targets:
            latents = unpack(x[:, start : start + h * w], h, w, patch)
            start += h * w
            layers.append(((self.vae.decode(latents).float() + 1) / 2).cpu())  # (B, 4, H, W)
        return [[layer[i] for layer in layers] for i in range(len(x))]

    def _to_device(self, x: Tensor) -> Tensor:
        return x.to(device=self.device, dtype=self.dtype)


def build_vae(config: dict[str, Any]) -> AlphaVAE | LightVAE:
    """The VAE that `config.json` describes: `kind` is "light" or "alpha"."""
    values = {k: v for k, v in config.items() if k != "kind"}
    if config["kind"] == "light":
        return LightVAE(LightVAEConfig.from_dict(values))
    return AlphaVAE(VAEConfig.from_dict(values))


def read_tensors(path: Path, device: torch.device, dtype: torch.dtype) -> dict[str, Tensor]:
    """A safetensors file in `dtype`. `NAME.int8` with `NAME.scale` (one a row) is the int8 form of `NAME`."""
    state = load_file(path, device=str(device))
    for name in [k.removesuffix(".int8") for k in state if k.endswith(".int8")]:
        state[name] = state.pop(f"{name}.int8").float() * state.pop(f"{name}.scale").float()[:, None]
    return {k: v.to(dtype) for k, v in state.items()}
