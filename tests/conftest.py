"""What several tests need: pictures on disk, and a tiny model with random weights, in memory and as a folder."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as PILImage
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import Whitespace

from omnialpha_cli.model.config import TransformerConfig
from omnialpha_cli.model.context.mini import MiniContext, MiniContextConfig
from omnialpha_cli.model.light_vae import LightVAE, LightVAEConfig
from omnialpha_cli.model.omnialpha import Defaults, OmniAlpha
from omnialpha_cli.model.sampler import Schedule
from omnialpha_cli.model.transformer import Transformer
from omnialpha_cli.tasks import TASKS
from omnialpha_cli.training.export import write_weights

MakePicture = Callable[..., Path]


@pytest.fixture
def picture() -> MakePicture:
    """Writes a picture of random smooth colours; the suffix chooses the format, `mode` the channels."""

    def write(path: Path, size: tuple[int, int] = (96, 64), seed: int = 0, mode: str = "RGB") -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = np.random.default_rng(seed).integers(0, 256, (4, 6, len(mode)), np.uint8)
        PILImage.fromarray(coarse, mode).resize(size, PILImage.Resampling.BICUBIC).save(path)
        return path

    return write


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of random weights of the embedded model's kind, trained on nothing and claiming every task."""
    torch.manual_seed(0)
    tokenizer = Tokenizer(WordPiece({"[UNK]": 0, "matte": 1, "this": 2}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    config = TransformerConfig(
        num_layers=1, attention_head_dim=16, num_attention_heads=2, joint_attention_dim=24, axes_dims_rope=(4, 6, 6)
    )
    model = OmniAlpha(
        Transformer(config),
        LightVAE(LightVAEConfig(channels=(8, 8, 8), blocks=(1, 1, 1))),
        MiniContext(MiniContextConfig(dim=24, vocabulary=3, word_dim=8), tokenizer),
        prediction="residual",
        tasks=tuple(TASKS),
        defaults=Defaults(steps=1, guidance=1.0, canvas=64),
        schedule=Schedule(shift_terminal=None),
    )
    for module in (model.transformer, model.context_encoder, model.vae):
        module.requires_grad_(False)
        for parameter in module.parameters():
            parameter.add_(torch.randn(parameter.shape) * 0.05)
    folder = tmp_path_factory.mktemp("weights") / "tiny"
    write_weights(model, "tiny", folder)
    return folder
