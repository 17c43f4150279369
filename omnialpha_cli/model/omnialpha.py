"""Run OmniAlpha: several RGBA images and a prompt in, several RGBA images out, in one pass.

    context · encode · denoise · decode

are methods, which a runner may schedule; `run_batches` composes them, the first two for all requests before the next.
Requests of one call may differ in everything: they are grouped by their exact `Layout`, and only the context is padded.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Self

import torch
from torch import Tensor

from . import lora, sampler
from .config import DISTILLED_SCHEDULE, Defaults, LoadOptions, distilled_defaults, is_published, read_config
from .memory import RESIDENT, Plan, free_memory, place, plan, present
from .parts import VAE, Context, ContextEncoder, join
from .positions import Layout
from .quantise import BYTES
from .request import Request, by_layout, mean_of_mirrored
from .transformer import Prepared, Transformer, pack, unpack

Prediction = Literal["velocity", "residual"]
Batches = Iterator[tuple[Sequence[int], list[list[Tensor]]]]


@dataclass
class OmniAlpha:
    """Hold a loaded model. `prediction` says what the transformer's output means; only `denoise` needs to know."""

    transformer: Transformer
    vae: VAE
    context_encoder: ContextEncoder
    prediction: Prediction = "velocity"
    tasks: tuple[str, ...] = ()
    defaults: Defaults = field(default_factory=Defaults)
    schedule: sampler.Schedule = sampler.PUBLISHED
    device: torch.device | str = "cpu"
    dtype: torch.dtype = torch.float32
    memory: Plan = RESIDENT

    @classmethod
    def load(
        cls,
        folder: str | Path,
        device: str | torch.device = "cpu",
        dtype: torch.dtype | None = None,
        options: LoadOptions | None = None,
        **single: Any,
    ) -> Self:
        """Load a weights folder, embedded (`config.json`, `*.safetensors`) or in the published layout.

        A dtype of None is the one that the weights are meant for. `options` may be given whole, or `single` ones by the
        names of its fields. Networks are read, adapted by LoRAs, quantised, compiled. Raises OSError, KeyError,
        ValueError, RuntimeError or ImportError when something is missing or does not fit.
        """
        folder, options = Path(folder), replace(options or LoadOptions(), **single)
        device = torch.device("cpu" if options.memory == "cpu" else device)
        # They import this module, so it imports neither before.
        layout = import_module(".published.load" if is_published(folder) else ".mini.load", __package__)
        config = read_config(folder)
        defaults = Defaults.from_dict(config.get("defaults", {}))
        dtype = dtype or getattr(torch, defaults.dtype)
        needs = layout.needs(folder, dtype)
        if options.quantize != "none":
            needs = replace(needs, transformer=round(needs.transformer * BYTES[options.quantize] / dtype.itemsize))
        chosen = plan(options.memory, needs, free_memory(device))
        model: Self = layout.load(
            folder, config, chosen.placement(device, options.quantize != "none"),
            prediction=config.get("prediction", "velocity"), tasks=tuple(config.get("tasks", ())), defaults=defaults,
            device=device, dtype=dtype, memory=chosen,
        )  # fmt: skip
        if options.distilled_lora:
            model.defaults = replace(defaults, **distilled_defaults(options.distilled_lora))
            model.schedule = replace(model.schedule, **DISTILLED_SCHEDULE)
        for path, strength in options.adapters:
            lora.add(model.transformer, path, strength, options.merge_loras)
        if options.quantize != "none" or options.compile_blocks or chosen.mode != "resident":
            place(model.transformer, chosen, device, options)
        assert isinstance(model, cls)
        return model

    def run(
        self, requests: Sequence[Request], steps: int | None = None, guidance: float | None = None
    ) -> list[list[Tensor]]:
        """Return one list of RGBA (4, H, W) float32 CPU tensors in [0, 1] a request, in the order of its targets.

        `steps` and `guidance` replace the weights' defaults; guidance at or below 1 is none. Noise is drawn per
        item: what shares a call changes a result by no more than rounding.
        """
        results: list[list[Tensor]] = [[] for _ in requests]
        for members, layers in self.run_batches(requests, steps, guidance):
            for i, images in zip(members, layers, strict=True):
                results[i] = images
        return results

    @torch.inference_mode()
    def run_batches(
        self,
        requests: Sequence[Request],
        steps: int | None = None,
        guidance: float | None = None,
        batch_size: int | None = None,
    ) -> Batches:
        """Yield batch by batch, as they are done, the places of its requests among all, and their layers.

        No more than `batch_size` requests go through a network together. Each network comes to the device once,
        for all batches.
        """
        steps, scale = steps or self.defaults.steps, self.defaults.guidance if guidance is None else guidance
        yield from self.batches(requests, steps, scale, batch_size)

    def batches(self, requests: Sequence[Request], steps: int, scale: float, batch_size: int | None) -> Batches:
        """Yield as `run_batches` does, by context, VAE and transformer; `scale` is that of guidance."""
        parts = by_layout(requests, batch_size)
        batches = [self._views([requests[i] for i in part]) for part in parts]
        staged = self.memory.mode != "resident"
        with present(self.context_encoder, self.device, staged):
            contexts = [[self.context(view, guided=scale > 1) for view in views] for views in batches]
        inputs = [[self.encode(view) for view in views] for views in batches]
        with present(self.transformer, self.device, staged=self.memory.mode == "staged"):
            for part, views, known, latents_of in zip(parts, batches, contexts, inputs, strict=True):
                layers = []
                for view, context, latents in zip(views, known, latents_of, strict=True):
                    clean = self.sample(view, context, latents, steps, scale)
                    # One by one beside a transformer that hardly leaves room.
                    pieces = clean.split(1) if staged else (clean,)
                    layers.append([images for piece in pieces for images in self.decode(piece, view[0].layout)])
                yield part, layers[0] if len(layers) == 1 else mean_of_mirrored(*layers)

    def _views(self, batch: Sequence[Request]) -> list[Sequence[Request]]:
        """Return what is run of requests of one layout: themselves, and, where it helps, their mirror images."""
        asked_directly = batch[0].task.partition("/")[0] == "run"  # words may tell left from right
        mirrored = self.defaults.mirror and bool(batch[0].inputs) and not asked_directly
        scale = self.defaults.mirror_scale
        return [batch, [request.mirrored(scale) for request in batch]] if mirrored else [batch]

    @property
    def window(self) -> int:
        """Return how many batches suit a call."""
        return self.memory.window

    @property
    def one_thread_each(self) -> bool:
        """Tell whether a CPU computes pictures side by side, each by one thread. 20B parameters want all threads."""
        return False

    def sample(
        self,
        requests: Sequence[Request],
        contexts: Sequence[Context],
        inputs: Sequence[Tensor],
        steps: int,
        scale: float,
    ) -> Tensor:
        """Clean target tokens (B, N_targets, C·p²) of requests of one layout, from their contexts and input latents.

        In float32, whatever the networks run in: many small steps would drown in the rounding of 16 bits. The branches
        of guidance share a pass only where each pass copies all blocks. Elsewhere that takes twice the activations for
        the same operations, and, as prompts differ in length, a mask, which keeps attention from its fastest kernels:
        on a CPU the embedded transformer was as fast (one picture) or a tenth slower (four).
        """
        layout = requests[0].layout
        sigmas = sampler.schedule(steps, layout.num_targets, self.schedule)
        passes = [join(contexts)] if self.memory.mode == "stream" else contexts
        copies = len(contexts) // len(passes)  # of every token in a pass, one a branch
        inputs = [torch.cat([z] * copies) for z in inputs]
        anchor = self.anchor(inputs, layout)
        prepared = [self.prepare(inputs, context, layout) for context in passes]

        def velocity(x: Tensor, sigma: float) -> Tensor:
            copied = torch.cat([x] * copies)
            found = [self.denoise(copied, copied.new_full((len(copied),), sigma), p, anchor) for p in prepared]
            conditional, *empty = torch.cat(found).chunk(len(contexts))
            return sampler.guide(conditional, empty[0], scale) if empty else conditional

        return sampler.euler(velocity, self.noise(requests), sigmas)

    def context(self, requests: Sequence[Request], guided: bool) -> list[Context]:
        """Return every request's context; when `guided`, a second one with the negative prompt."""
        images = [[self._to_device(i) for i in r.inputs] for r in requests]
        encoded = self.context_encoder.look(images)
        prompts = [[r.prompt for r in requests], *([[r.negative for r in requests]] if guided else [])]
        return [self.context_encoder.read(some, encoded) for some in prompts]

    def drawing(self, words: str, task: str) -> Any:
        """Return a `mini.sketch.Drawing`, what words alone are drawn as; None of weights that draw any words."""
        return None

    def subject(self, words: str) -> str:
        """Return the object before a background in the words for a scene, "" if there is none.

        Raises TypeError of weights that draw a scene as a whole.
        """
        raise TypeError("these weights draw a scene as a whole")

    def relevance(self, picture: Tensor, words: str) -> Tensor:
        """Return logits (h, w) of how relevant places of RGBA (4, H, W) in [0, 1] are to `words`.

        Raises TypeError of weights that read words as part of the prompt.
        """
        raise TypeError("these weights read words as part of the prompt")

    def shadow_gains(self, picture: Tensor, mask: Tensor) -> Tensor | None:
        """Return factors (3, H, W) that take an object's shadows and reflections out of RGBA (4, H, W) in [0, 1].

        The object, where the `mask` (H, W) is 1, is painted over in it. None of weights that cannot.
        """
        return None

    def refined(self, plate: Tensor, colours: Tensor, alpha: Tensor, trimap: Tensor | None) -> Tensor | None:
        """Return refined alpha (H, W) from the pixels of a `plate` (3, H, W), or None of weights that cannot.

        The plate is sRGB, `colours` (6, H, W) are those that object and background are likely to have in it, a
        trimap (H, W) may be known; all in [0, 1].
        """
        return None

    def encode(self, requests: Sequence[Request]) -> list[Tensor]:
        """Return latents of the inputs, of requests of one layout: for input k (B, 16, H_k/8, W_k/8)."""
        return [
            self.vae.encode(torch.stack([self._to_device(image) for image in images]) * 2 - 1)
            for images in zip(*(r.inputs for r in requests), strict=True)
        ]

    def noise(self, requests: Sequence[Request]) -> Tensor:
        """Return packed noise of the targets (B, N_targets, C·p²), float32, drawn per item on the CPU."""
        channels, patch = self.transformer.config.out_channels, self.transformer.config.patch_size
        items = []
        for request in requests:
            drawn = sampler.draw_noise([(channels, h // 8, w // 8) for h, w in request.targets], request.seed)
            items.append(torch.cat([pack(n[None], patch)[0] for n in drawn]))  # (N_targets, C·p²)
        return torch.stack(items).to(self.device)

    def prepare(self, inputs: Sequence[Tensor], context: Context, layout: Layout) -> Prepared:
        """Return the transformer's sigma-independent part, from the inputs' latents."""
        config = self.transformer.config
        empty = context.tokens.new_zeros(len(context.tokens), 0, config.in_channels)
        tokens = torch.cat([empty, *(pack(z, config.patch_size) for z in inputs)], dim=1)  # (B, N_inputs, C·p²)
        return self.transformer.prepare(tokens, context.tokens, layout, context.mask, context.positions)

    def anchor(self, inputs: Sequence[Tensor], layout: Layout) -> Tensor | float:
        """Return what a residual is relative to, packed (B, N_targets, C·p²).

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
        """Return the velocity (noise − clean) at target tokens x (B, N_targets, C·p²) and sigma (B,) > 0."""
        output = self.transformer.step(x.to(self.dtype), sigma, prepared)
        return self.as_velocity(output.to(x.dtype), x, sigma, anchor)

    def as_velocity(self, output: Tensor, x: Tensor, sigma: Tensor, anchor: Tensor | float) -> Tensor:
        """Return the transformer's output as a velocity: a residual gives the clean latents anchor + output."""
        if self.prediction == "velocity":
            return output
        return (x - (anchor + output)) / sigma.view(-1, 1, 1).to(x.dtype)

    def decode(self, x: Tensor, layout: Layout) -> list[list[Tensor]]:
        """Clean target tokens (B, N_targets, C·p²) → for each item its RGBA (4, H, W) in [0, 1], float32 on the CPU."""
        layers = []
        for (h, w), tokens in zip(layout.targets, x.split([h * w for h, w in layout.targets], 1), strict=True):
            latents = self._to_device(unpack(tokens, h, w, self.transformer.config.patch_size))
            layers.append(((self.vae.decode(latents).float() + 1) / 2).cpu())  # (B, 4, H, W)
        return [list(images) for images in zip(*layers, strict=True)]

    def _to_device(self, x: Tensor) -> Tensor:
        return x.to(device=self.device, dtype=self.dtype)
