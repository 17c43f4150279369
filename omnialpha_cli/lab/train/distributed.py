"""Join the processes that `torchrun` starts: who takes part, and how a step's gradients become one.

`torchrun --nproc_per_node 8 --no-python -- omnialpha train sft RECIPE …` is all it takes. A copy of the model in each
process (DDP) is the default; with sharding (FSDP2) the transformer's blocks are whole only while they compute.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ...status import UsageError

T = TypeVar("T")


@dataclass(frozen=True)
class Group:
    """Describe the processes of a run; this one is `rank` of `world`, and computes on `device`."""

    device: torch.device
    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        """Tell whether this is the process that writes and speaks."""
        return self.rank == 0

    def wait(self) -> None:
        """Wait until all processes have come here."""
        if self.world > 1:
            dist.barrier()


ALONE = Group(torch.device("cpu"))


@contextmanager
def joined(device: str) -> Iterator[Group]:
    """Join the processes that `torchrun` started, or be alone; `device` is cpu, cuda or mps."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield Group(torch.device(device))
        return
    place = torch.device(device)
    if place.type == "cuda":
        place = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(place)
    dist.init_process_group("nccl" if place.type == "cuda" else "gloo")
    try:
        yield Group(place, dist.get_rank(), world)
    finally:
        dist.destroy_process_group()


class Step(nn.Module):
    """Wrap a model so that its loss is `forward`: what DDP has to see to bring gradients together."""

    def __init__(self, model: nn.Module, loss: Callable[[nn.Module, Any, int], tuple[Tensor, dict[str, float]]]):
        super().__init__()
        self.model = model
        self.loss = loss

    def forward(self, batch: Any, term: int) -> tuple[Tensor, dict[str, float]]:
        """Return value and figures of one term of a batch."""
        return self.loss(self.model, batch, term)

    def no_sync(self) -> AbstractContextManager[None]:
        """Do nothing, in the place of DDP's method: there is nothing to bring together."""
        return nullcontext()


def parallelise(step: Step, shard: bool, group: Group) -> Step | DistributedDataParallel:
    """Return `step` for all processes: sharded, copied, or as it is for one."""
    if shard:
        _shard(step.model, group)
        return step
    if group.world == 1:
        return step
    frozen = [name for name, p in step.named_parameters() if not p.requires_grad]
    DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(step, frozen)  # equal already, and large
    # Tasks without a foreground leave the auxiliary head alone, and the last block has unread projections.
    return DistributedDataParallel(step, find_unused_parameters=True)


def _shard(model: nn.Module, group: Group) -> None:
    """Shard a transformer by FSDP2, block by block, then the rest of it."""
    # As `torch.distributed.tensor` below: most of a second to import, for sharded trainings alone.
    from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method

    transformer = getattr(model, "transformer", None)
    others = [n for n, p in model.named_parameters() if p.requires_grad and not n.startswith("transformer.")]
    if transformer is None or others:
        raise UsageError("shard = true is for trainings of the transformer alone")
    if not dist.is_initialized():
        raise UsageError("shard = true needs torchrun (one process is enough)")
    if isinstance(transformer, FSDPModule):  # by the stage before
        return
    mesh = dist.device_mesh.init_device_mesh(group.device.type, (group.world,))
    for block in transformer.transformer_blocks:
        fully_shard(block, mesh=mesh)
        register_fsdp_forward_method(block, "targets")
    fully_shard(transformer, mesh=mesh)
    for name in ("prepare", "step", "hidden"):
        register_fsdp_forward_method(transformer, name)


def whole(tensor: Tensor) -> Tensor:
    """Return a tensor, or what all processes hold of one, on the CPU. All processes have to ask."""
    if _is_sharded(tensor):
        tensor = tensor.full_tensor()  # type: ignore[attr-defined]
    return tensor.detach().cpu()


def placed(tensor: Tensor, like: Tensor) -> Tensor:
    """Return a complete tensor where `like` is: on its device, in its dtype, sharded as it is."""
    tensor = tensor.to(device=like.device, dtype=like.dtype)
    if _is_sharded(like) and tensor.shape == like.shape:
        from torch.distributed.tensor import distribute_tensor

        return distribute_tensor(tensor, like.device_mesh, like.placements)  # type: ignore[attr-defined]
    return tensor


def _is_sharded(tensor: Tensor) -> bool:
    """Tell whether a tensor is a DTensor, whose class need not be imported where there are none."""
    return hasattr(tensor, "full_tensor")


def gathered(value: T, group: Group) -> list[T]:
    """Return the values of all processes."""
    if group.world == 1:
        return [value]
    values: list[Any] = [None] * group.world
    dist.all_gather_object(values, value)
    return values
