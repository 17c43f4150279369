"""Sample latents from noise: schedule, Euler steps and guidance, as functions of a `denoise(x, sigma) → velocity`.

Flow matching: x_sigma = (1 − sigma)·x0 + sigma·noise, and the velocity is noise − x0, as in the published Qwen-Image
sampler. Nothing here knows what x looks like.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any, Self

import torch
from torch import Tensor

Denoise = Callable[[Tensor, float], Tensor]

# Samplers of the published scheduler that this code does not have: ignoring a true one would be wrong output.
_UNMODELLED = ("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "stochastic_sampling", "invert_sigmas")


@dataclass(frozen=True)
class Schedule:
    """Say how sigmas are shifted; the fields are those of `scheduler_config.json`, the defaults the published ones.

    The shift mu is linear in the number of target tokens: `base_shift` at `base_image_seq_len`, `max_shift` at
    `max_image_seq_len`, and beyond both. `shift_terminal` is the last sigma before 0; None leaves it as shifted.
    """

    base_shift: float = 0.5
    max_shift: float = 0.9
    base_image_seq_len: int = 256
    max_image_seq_len: int = 8192
    shift_terminal: float | None = 0.02

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read a `scheduler_config.json`; keys without effect are ignored.

        Raises ValueError for a schedule of another kind: a constant or a linear shift, other spacings of sigma.
        """
        kind = (values.get("use_dynamic_shifting", True), values.get("time_shift_type", "exponential"))
        on = [key for key in _UNMODELLED if values.get(key)]
        if kind != (True, "exponential") or on:
            raise ValueError(f"not a schedule with dynamic exponential shift: {kind[0]}, {kind[1]}, {', '.join(on)}")
        return cls(**{f.name: values[f.name] for f in fields(cls) if f.name in values})

    def mu(self, num_target_tokens: int) -> float:
        """Return the shift for all targets of a request together."""
        slope = (self.max_shift - self.base_shift) / (self.max_image_seq_len - self.base_image_seq_len)
        return self.base_shift + slope * (num_target_tokens - self.base_image_seq_len)


PUBLISHED = Schedule()


def schedule(steps: int, num_target_tokens: int, parameters: Schedule = PUBLISHED) -> list[float]:
    """Return `steps` + 1 falling sigmas from 1 to 0: linear from 1 to 1/steps, shifted, stretched, then 0.

    Shift: e^mu / (e^mu + 1/sigma − 1). Stretch: 1 − sigma is scaled so that the last sigma is `shift_terminal`; a
    single step has nothing to stretch, so its sigmas are [1, 0]. Raises ValueError if `steps` is below 1.
    """
    if steps < 1:
        raise ValueError(f"at least 1 step is needed, not {steps}")
    shift = math.exp(parameters.mu(num_target_tokens))
    sigmas = [shift / (shift + steps / (steps - k) - 1) for k in range(steps)]  # from sigma = (steps − k) / steps
    if parameters.shift_terminal and steps > 1:
        stretch = (1 - parameters.shift_terminal) / (1 - sigmas[-1])
        sigmas = [1 - (1 - sigma) * stretch for sigma in sigmas]
    return [*sigmas, 0.0]


def euler(denoise: Denoise, x: Tensor, sigmas: Sequence[float]) -> Tensor:
    """Follow dx/dsigma = velocity from x at sigmas[0] to sigmas[-1], one call of `denoise(x, sigma)` a step."""
    for sigma, following in pairwise(sigmas):
        x = x + (following - sigma) * denoise(x, sigma)
    return x


def guide(cond: Tensor, uncond: Tensor, scale: float) -> Tensor:
    """Guide without a classifier, keeping each token's norm: comb·‖cond‖/‖comb‖ over the last dimension.

    comb = uncond + scale·(cond − uncond). Any equal shapes (..., C); a token whose comb is 0 stays 0.
    """
    combined = uncond + scale * (cond - uncond)
    wanted = torch.linalg.vector_norm(cond, dim=-1, keepdim=True, dtype=torch.float32)  # (..., 1)
    found = torch.linalg.vector_norm(combined, dim=-1, keepdim=True, dtype=torch.float32)
    return (combined * (wanted / found.clamp_min(1e-12))).to(cond.dtype)


def draw_noise(shapes: Iterable[Sequence[int]], seed: int) -> list[Tensor]:
    """Draw standard normal noise of an item, float32 on the CPU, a tensor a target: by seed and shapes alone."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(*shape, generator=generator) for shape in shapes]
