"""A training that `torchrun` can start: `python -m torch.distributed.run … training_processes.py FOLDER`.

It is done twice, `copied` (DDP) and `sharded` (FSDP2), of a tiny transformer of the published kind with adapters and
with gradient checkpointing.
"""

import sys
from pathlib import Path

import torch
from torch import Tensor
from training_runs import RecordedReport

from omnialpha_cli.lab.train import lora, sft
from omnialpha_cli.lab.train.checkpoint import keep
from omnialpha_cli.lab.train.distributed import Group, joined
from omnialpha_cli.lab.train.loop import Objective, Schedule, train
from omnialpha_cli.model.config import TransformerConfig
from omnialpha_cli.model.positions import Layout
from omnialpha_cli.model.transformer import Transformer

CONFIG = TransformerConfig(
    num_layers=2, attention_head_dim=16, num_attention_heads=2, joint_attention_dim=32, axes_dims_rope=(4, 6, 6)
)
ADAPTERS = lora.LoRA(r".*attn.*|img_in", 4, 4)
LAYOUT = Layout(targets=[(2, 3)], inputs=[(2, 3)])


def draw(step: int, micro: int, g: torch.Generator) -> tuple[Tensor, Tensor]:
    return torch.randn(2, LAYOUT.num_tokens, 64, generator=g), torch.randn(2, 7, 32, generator=g)


def loss(model: torch.nn.Module, batch: tuple[Tensor, Tensor], term: int) -> tuple[Tensor, dict[str, float]]:
    tokens, context = batch
    targets, inputs = tokens.split((LAYOUT.num_targets, LAYOUT.num_targets), dim=1)
    prepared = model.transformer.prepare(inputs, context, LAYOUT)
    out, _ = model.transformer.hidden(targets, torch.full((2,), 0.5), prepared)
    value = (out - inputs).square().mean()
    return value, {f"sign/{int(tokens[0, 0, 0] > 0)}": float(value.detach())}


def run(way: str, folder: Path, group: Group, report: RecordedReport, steps: int = 4) -> None:
    torch.manual_seed(0)
    trained = sft.Trained(Transformer(CONFIG), None)
    lora.adapt(trained.transformer, ADAPTERS)
    schedule = Schedule(
        steps=steps, lr=1e-2, decay="constant", batch=4, micro=2, bf16=False, recompute=True, shard=way == "sharded",
        log_every=2, save_every=2, picture_every=2, weight_decay=0.1,
    )  # fmt: skip

    def picture() -> Tensor:
        loss(trained, draw(0, 0, torch.Generator().manual_seed(0)), 0)
        return torch.zeros(3, 2, 2)

    train(trained, Objective(draw, loss, picture=picture), schedule, folder / way, report, group)
    lora.save(trained.transformer, ADAPTERS, folder / way / lora.FILE, group)
    keep(trained, folder / way / "left.pt", group)


def main() -> None:
    folder = Path(sys.argv[1])
    with joined("cpu") as group:
        for way in ("copied", "sharded"):
            report = RecordedReport()
            run(way, folder, group, report)
            (folder / f"{way}-{group.rank}.txt").write_text("\n".join(report.lines))


if __name__ == "__main__":
    main()
