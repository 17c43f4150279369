"""List the tasks, as data: 21 in the paper's five categories (arXiv 2511.20211), and more.

A task says which images go in, which RGBA layers come out, and with which prompt. A command is a set of rows that
differ in their hint. Beside the paper's are a clean plate as hint, an empty background, and the model itself.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal

from .status import UsageError

Command = Literal["generate", "complete", "matte", "remove", "decompose", "run"]
Hint = Literal["none", "text", "trimap", "mask", "rough-mask", "background"]
Role = Literal["scene", "foreground", "background", "trimap", "mask", "rough-mask", "image", "shadow"]


@dataclass(frozen=True)
class Task:
    """Describe a task: `inputs` and `outputs` are in the order in which the model gets them.

    `prompt` may hold `{text}`, the user's words. The published weights were trained on those that are `published`.
    With `shadow` the shadow of the one foreground is a layer of the result too, which no model makes.
    """

    name: str
    command: Command
    hint: Hint
    inputs: tuple[Role, ...]
    outputs: tuple[Role, ...]
    prompt: str
    published: bool = False
    shadow: bool = False

    @property
    def layers(self) -> tuple[Role, ...]:
        """Return what the result has, bottom first."""
        return (*self.outputs[:-1], "shadow", self.outputs[-1]) if self.shadow else self.outputs

    @property
    def needs_text(self) -> bool:
        """Tell whether the prompt has a place for the user's words."""
        return "{text}" in self.prompt

    @property
    def hint_is_data(self) -> bool:
        """Tell whether the second input is a trimap or mask, whose values are no colours."""
        return self.hint in ("trimap", "mask", "rough-mask")


# Word for word the prompts of the published model (its v2 scripts, and v1 for the trimap tasks).
MATTE_AUTO = (
    "Automatically matte this image and extract the foreground with a physically accurate alpha channel that "
    "preserves true transparency and fine details."
)
MATTE_TEXT = "Extract the object described by the text, preserving fine details and transparency: {text}"
MATTE_TRIMAP = "Pull out the foreground with fine edges and perfect transparency."
REMOVE_MASK = (
    "Use the first image as the source scene and the second image as the object mask. Remove the masked object and "
    "all of its associated effects, including shadows, reflections, highlights, contact traces, and residual "
    "artifacts, even when these effects extend beyond the mask. Reconstruct the clean base background as if the "
    "object had never been present."
)
REMOVE_TRIMAP = "Remove the object of focus and restore the background organically."
DECOMPOSE_AUTO = (
    "Decompose this image into an ordered back-to-front layer sequence: output the complete background first, then "
    "output complete RGBA foreground layers in depth order, where each foreground layer preserves the entire object "
    "rather than only its visible region, and the original image must be exactly reconstructed by sequentially "
    "alpha-compositing these layers one by one from back to front."
)
GENERATE_FOREGROUND = "Generate a transparent-background RGBA image. {text}"
GENERATE_BACKGROUND = "Generate a background without objects. {text}"

# The published work has no prompt for these; they follow the manner of the ones above.
_MASK = "Use the first image as the source scene and the second image as the object mask. "
_ROUGH = "Use the first image as the source scene and the second image as a rough mask of the object. "
_TRIMAP = "Use the first image as the source scene and the second image as the trimap of the object. "
_PLATE = "Use the first image as the source scene and the second image as the same scene without the object. "
_FINE = "Extract the object with a physically accurate alpha channel that preserves fine details."
_REMOVE = "Remove the object and its shadows and reflections, and reconstruct the clean background"
_LAYERS = "Decompose this image into the complete background and the complete RGBA foreground of the object"

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task("generate.foreground", "generate", "text", (), ("foreground",), GENERATE_FOREGROUND, True),
        Task("generate.scene", "generate", "text", (), ("scene",), "{text}"),
        Task("generate.background", "generate", "text", (), ("background",), GENERATE_BACKGROUND),
        Task("complete.foreground-background", "complete", "text", ("foreground",), ("background",),
             "Paint the background that belongs behind this foreground, without the foreground: {text}"),
        Task("complete.foreground-scene", "complete", "text", ("foreground",), ("scene",),
             "Complete this foreground to a full scene: {text}"),
        Task("complete.background-foreground", "complete", "text", ("background",), ("foreground",),
             "Paint the RGBA foreground that belongs in this background: {text}"),
        Task("complete.background-scene", "complete", "text", ("background",), ("scene",), "{text}"),
        Task("matte.auto", "matte", "none", ("scene",), ("foreground",), MATTE_AUTO, True),
        Task("matte.text", "matte", "text", ("scene",), ("foreground",), MATTE_TEXT, True),
        Task("matte.trimap", "matte", "trimap", ("scene", "trimap"), ("foreground",), MATTE_TRIMAP),
        Task("matte.mask", "matte", "mask", ("scene", "mask"), ("foreground",), _MASK + _FINE),
        Task("matte.rough-mask", "matte", "rough-mask", ("scene", "rough-mask"), ("foreground",), _ROUGH + _FINE),
        Task("matte.background", "matte", "background", ("scene", "background"), ("foreground",), _PLATE + _FINE),
        Task("remove.auto", "remove", "none", ("scene",), ("background",), _REMOVE + "."),
        Task("remove.text", "remove", "text", ("scene",), ("background",), _REMOVE + ": {text}"),
        Task("remove.trimap", "remove", "trimap", ("scene", "trimap"), ("background",), REMOVE_TRIMAP),
        Task("remove.mask", "remove", "mask", ("scene", "mask"), ("background",), REMOVE_MASK, True),
        Task("remove.rough-mask", "remove", "rough-mask", ("scene", "rough-mask"), ("background",),
             _ROUGH + _REMOVE + "."),
        Task("decompose.auto", "decompose", "none", ("scene",), ("background", "foreground"), DECOMPOSE_AUTO, True),
        Task("decompose.text", "decompose", "text", ("scene",), ("background", "foreground"), _LAYERS + ": {text}"),
        Task("decompose.trimap", "decompose", "trimap", ("scene", "trimap"), ("background", "foreground"),
             _TRIMAP + _LAYERS + "."),
        Task("decompose.mask", "decompose", "mask", ("scene", "mask"), ("background", "foreground"),
             _MASK + _LAYERS + "."),
        Task("decompose.rough-mask", "decompose", "rough-mask", ("scene", "rough-mask"), ("background", "foreground"),
             _ROUGH + _LAYERS + "."),
        Task("run", "run", "text", (), ("image",), "{text}"),
    )
}  # fmt: skip


LAYERS = range(2, 10)  # of a decomposition

# What makes the layer that a completion lacks from words alone, by the layer that is given.
MISSING: dict[Role, str] = {"foreground": "generate.background", "background": "generate.foreground"}


def passes(task: Task, known: Collection[str]) -> tuple[Task, ...]:
    """Return the tasks that do `task`, one after the other, for weights that were trained on those `known` by name.

    It alone if they were. With a clean plate the object is matted as without: the difference to the plate tells the
    rest (`imaging/matte/difference_key.py`), better than a network that was shown the plate. Else, where both are
    known, an object is matted, and with its matte as mask taken out: that is removal, and with the matte a
    decomposition. Weights that cannot matte what words name matte everything; the words choose from that. What is
    missing in a completion can be made from words alone, and a scene of a background and an object. The model itself is
    in all weights. Empty if there is no way.
    """
    if task.hint == "background" and "matte.auto" in known:
        return (TASKS["matte.auto"],)
    if task.name in known or task.command == "run":
        return (task,)
    if task.command == "complete":
        (given,) = task.inputs
        return (TASKS[MISSING[given]],) if MISSING[given] in known else ()
    if task.name == "generate.scene":
        way = "generate.background", "generate.foreground"
        return tuple(TASKS[name] for name in way) if all(name in known for name in way) else ()
    first = "matte.auto" if task.hint == "none" else f"matte.{task.hint}"
    if task.hint == "text" and first not in known:
        first = "matte.auto"
    if task.command in ("remove", "decompose") and len(task.outputs) <= 2:
        way = first, "remove.mask"
    elif task.name == "matte.text":
        way = first, "matte.rough-mask"
    else:
        return ()
    return tuple(TASKS[name] for name in way) if all(name in known for name in way) else ()


def refuse_untrained(task: Task, weights: str, known: Collection[str], remedy: str) -> None:
    """Raise UsageError unless weights called `weights`, trained on the tasks `known`, do the task in some way."""
    if not passes(task, known):
        base, _, layers = task.name.partition("/")
        if layers and passes(TASKS[base], known):
            counts = sorted({2, *(int(name.partition("/")[2]) for name in known if name.startswith(f"{base}/"))})
            can = " or ".join(map(str, counts))
            raise UsageError(f"weights {weights} take pictures apart into {can} layers, not into {layers}; {remedy}")
        commands = {name: name.partition(".")[0] for name in known}
        same = [name for name, command in commands.items() if command == task.command]
        trained = ", ".join(same or sorted(set(commands.values()))) or "nothing"
        raise UsageError(f"weights {weights} were trained on {trained}, not on {task.name}; {remedy}")


def with_layers(task: Task, layers: int) -> Task:
    """Return the task with so many layers: itself if it has them, else one named like `decompose.auto/3`."""
    if layers == len(task.outputs):
        return task
    name = task.name.partition("/")[0]
    if layers == len(TASKS[name].outputs):
        return TASKS[name]
    outputs = (task.outputs[0], *[task.outputs[-1]] * (layers - 1))
    return replace(task, name=f"{name}/{layers}", outputs=outputs)


def with_shadow(task: Task) -> Task:
    """Return a decomposition or matte with the shadow of its foreground as a layer. Raises UsageError."""
    if len(task.outputs) > 2:
        raise UsageError("the shadow is that of one foreground: give 2 layers")
    return replace(task, shadow=True)


def most_layers(task: Task, known: Collection[str], limit: int) -> int:
    """Return the largest number of layers, up to `limit`, at which weights trained on the tasks `known` do the task."""
    fewest = len(task.outputs)
    return max((n for n in range(fewest, limit + 1) if with_layers(task, n).name in known), default=fewest)


def of_pictures(count: int, layers: int) -> Task:
    """Return the task of the model itself with so many pictures and layers."""
    image: Role = "image"
    return replace(with_layers(TASKS["run"], layers), inputs=(image,) * count)
