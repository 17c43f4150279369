"""Infer the model's layers of prepared pictures: all passes of their tasks, for the batch and the Python API alike."""

from collections.abc import Iterator, Sequence

from .effects import find_effects
from .layers import add_layers
from .model import Model
from .passes import Made, second_pass
from .prepare import Prepared
from .settings import Settings


def infer(
    model: Model, pictures: Sequence[Prepared], settings: Settings, batch_size: int | None = None
) -> Iterator[tuple[Sequence[int], list[Made]]]:
    """Yield batch by batch, as they are done, places among the `pictures`, and for each what `finish` needs of it.

    No more than `batch_size` go through a network together, where one is given.
    """
    requests = [picture.request for picture in pictures]
    for places, results in model.run_batches(requests, settings.steps, settings.guidance, batch_size):
        made = [(pictures[i], layers) for i, layers in zip(places, results, strict=True)]
        made = add_layers(model, second_pass(model, made, settings), settings)
        yield places, find_effects(model, made, settings)
