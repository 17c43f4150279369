"""Fold the batch norms of published EfficientNet-Lite weights into their convolutions, as `Backbone` has them."""

from collections.abc import Mapping

from torch import Tensor

from ...model.mini.image_encoder import STAGES, Variant

BATCH_NORM_EPS = 1e-3


def fold_published(state: Mapping[str, Tensor], variant: Variant = "lite0") -> dict[str, Tensor]:
    """Return the published EfficientNet-Lite state dict (`_blocks.N._expand_conv`, `_bn0` …) → that of `Backbone`.

    Each batch norm is folded into the convolution before it; the classifier is left out.
    """

    folded: dict[str, Tensor] = {}
    folded["stem.weight"], folded["stem.bias"] = _fold(state, "_conv_stem", "_bn0")
    number = 0
    for i, (expansion, _, _, _, count) in enumerate(STAGES[variant]):
        for j in range(count):
            names = [("expand", "_expand_conv", "_bn0")] if expansion > 1 else []
            names += [("depthwise", "_depthwise_conv", "_bn1"), ("project", "_project_conv", "_bn2")]
            for ours, conv, norm in names:
                prefix = f"stages.{i}.{j}.{ours}"
                folded[f"{prefix}.weight"], folded[f"{prefix}.bias"] = _fold(
                    state, f"_blocks.{number}.{conv}", f"_blocks.{number}.{norm}"
                )
            number += 1
    return folded


def fold_head(state: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Return weight and bias of the convolution before the published classifier, its batch norm folded in."""
    return _fold(state, "_conv_head", "_bn1")


def _fold(state: Mapping[str, Tensor], conv: str, norm: str) -> tuple[Tensor, Tensor]:
    scale = state[f"{norm}.weight"] / (state[f"{norm}.running_var"] + BATCH_NORM_EPS).sqrt()
    bias = state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale
    return state[f"{conv}.weight"] * scale[:, None, None, None], bias
