"""Prepare pictures in image space as a request to the model."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor

from ..imaging.canvas import Canvas, choose_canvas, grow, opaque, resample
from ..imaging.matte.finish import Steering
from ..imaging.matte.match_plate import match_plate, show_one_view
from ..imaging.removal.fill import fill_mask, fill_masked
from ..media.colour import Encoding
from ..media.image import Image
from ..media.write import Target, ground_of, target_for
from ..model.config import Defaults
from ..model.request import Request
from ..status import RunNote
from ..tasks import TASKS, Task
from .settings import BOUNDS, Settings
from .steering import aligned, blank_bounds, blank_hint, carried_from, read_hint, steering_of
from .view import Exposure, Nonfinite, exposure_of, is_scene, meter, plate_of, to_view, view_of

SHARE = 0.97  # of a side that several images share: no canvas is so much larger than was asked for


@dataclass(frozen=True, eq=False)
class Prepared:
    """Hold one request, and what is needed to bring its result back to full size.

    `plate` (3, H, W) is the `source`'s colour at full precision, encoded as the `target` will be, so that layers are
    solved where they are composited; `nonfinite` are its pixels without a finite value. `alpha` (H, W) is its own alpha
    where that counts, `hint` (H, W) the trimap or mask, `clean_plate` (3, H, W) the same view without the object.
    `second` is the task of the second pass (`infer.py`), `choose` the words that choose from what the first finds, or
    whose first part names an object. A request without inputs makes what is missing to the source from words alone.
    `gains` (3, h, w) take an object's effects out of the plate. `exposure` is how the model sees it, None as a display
    shows it. `measures` have the names of `media.provenance.MEASURES`. `steering` is what else is known of a matte,
    `screen` the one whose light its colours lose.
    """

    task: Task
    request: Request
    canvas: Canvas
    target: Target
    source: Image | None = None
    plate: Tensor = field(default_factory=lambda: torch.empty(3, 0, 0))
    alpha: Tensor | None = None
    hint: Tensor | None = None
    clean_plate: Tensor | None = None
    warnings: tuple[str, ...] = ()
    nonfinite: Nonfinite | None = None
    second: Task | None = None
    choose: str | None = None
    gains: Tensor | None = None
    exposure: Exposure | None = None
    measures: Mapping[str, float] = field(default_factory=dict)
    steering: Steering = field(default_factory=Steering)
    screen: str | None = None

    @property
    def light(self) -> Tensor | None:
        """Tell where (H, W) a matte keeps its source's light without coverage: alpha 0 in a premultiplied file."""
        premultiplied = self.source is not None and self.source.alpha_kind == "premultiplied"
        return self.alpha == 0 if premultiplied and self.alpha is not None and self.task.command == "matte" else None

    @property
    def pixels(self) -> int:
        """Return the pixels of the result, at full size."""
        return self.canvas.height * self.canvas.width


def prepare(
    task: Task, images: Sequence[Image], defaults: Defaults, settings: Settings, way: Sequence[Task] = (),
    metered: Exposure | None = None, beside: Mapping[str, Image] | None = None,
) -> Prepared:  # fmt: skip
    """Fit the pictures of a task's inputs into the model's canvas; `way` are the passes that do the task.

    `metered` is the exposure of the sequence, by default the picture's own. `beside` are, by name, the mattes that
    bound a matte, and a `frame` with its `matte`, from which a task that has a mask but is given none takes it. Raises
    ItemError `hint` where a trimap, mask or matte has another shape than its picture.
    """
    first, *then = way or [task]
    all_defaults, beside = defaults, beside or {}
    defaults = defaults.of(first.name)
    prompt = first.prompt.replace("{text}", settings.text or "")
    target = _target(task, images, settings)
    if task.command == "run":
        return _as_given(task, images, prompt, defaults, settings, target)
    second = then[0] if then else None
    if not task.inputs:
        side = settings.canvas or defaults.canvas
        size = settings.height or side, settings.width or side
        canvas = _drawn_canvas(*size, side, defaults.multiple, square=defaults.square)
        request = Request(prompt, (), (canvas.size,) * len(task.outputs), settings.seed, task=first.name)
        return Prepared(task, request, canvas, target, second=second, choose=settings.text)
    source, *hints = images
    plate, nonfinite = plate_of(source, target.encoding)  # (3, H, W)
    alpha, ignored = own_alpha(source, task)
    read = (*hints, *(image for name, image in beside.items() if name in BOUNDS))
    notes = (RunNote(note) for image in read for note in image.notes)  # which many pictures may share
    warnings: tuple[str, ...] = (*source.notes, *ignored, *_lost(source, target, plate), *notes)
    exposure = exposure_of(source, metered, settings.exposure)
    carried = carried_from(beside, source, plate, target.encoding, exposure) if "frame" in beside else None
    if "frame" in beside and carried is None:
        warnings = *warnings, f"{source.path}: little of the frame before is in it, so its matte starts afresh"
        if not hints and len(task.inputs) > 1:
            bounds = {name: image for name, image in beside.items() if not name.endswith("frame")}
            fresh = prepare(TASKS["matte.auto"], images, all_defaults, settings, (), metered, bounds)
            return replace(fresh, warnings=warnings)
    own = partial(Prepared, task, target=target, source=source, plate=plate, alpha=alpha, nonfinite=nonfinite,
                  exposure=exposure)  # fmt: skip
    if not first.inputs:  # what is missing is made from words alone
        square = first.outputs == ("foreground",)  # it will stand somewhere else
        canvas = _drawn_canvas(*source.size, settings.canvas or defaults.canvas, defaults.multiple, square=square)
        request = Request(prompt, (), (canvas.size,), settings.seed, task=first.name)
        return own(request=request, canvas=canvas, warnings=warnings)
    canvas = choose_canvas(*source.size, _limited(source, defaults, settings), defaults.multiple)
    views = [view_of(source, plate, target.encoding, exposure, alpha, task, canvas)]  # (4, h, w) each
    hint, clean_plate, inpaint_mask = None, None, None
    if hints and task.hint == "background":
        clean_plate = _clean_plate(aligned(hints[0], source), plate, target.encoding, exposure)
        if clean_plate is None:
            warnings = *warnings, f"{hints[0].path} shows another view than {source.path}, and was ignored"
        elif first.hint == "background":
            views.append(view_of(hints[0], clean_plate, target.encoding, exposure, None, task, canvas))
    elif hints:
        hint = grow(read_hint(hints[0], source), settings.grow)
        warnings = *warnings, *blank_hint(hints[0], hint, task)
    elif carried is not None and len(task.inputs) > 1:
        hint = carried.alpha
    if hint is not None:
        on_canvas = canvas.fit(hint)  # (h, w)
        views.append(opaque(on_canvas.expand(3, -1, -1)))
        if defaults.fill and first.command == "remove":
            inpaint_mask = fill_mask(on_canvas)
            views[0] = fill_masked(views[0], inpaint_mask)
    steering = Steering()
    if task.command != "remove" and (beside or hint is not None):  # the mask of a removal is what is painted over
        steering = steering_of(task, source, hint, beside, carried, settings)
    warnings = *warnings, *(blank_bounds(beside, source) if beside else ())
    layers = 2 if settings.auto_layers else len(first.outputs)  # to begin with
    request = Request(prompt, tuple(views), (canvas.size,) * layers, settings.seed, inpaint_mask, first.name)
    choose = settings.text if second and task.needs_text and not first.needs_text else None
    return own(
        request=request, canvas=canvas, hint=hint, clean_plate=clean_plate, warnings=warnings, second=second,
        choose=choose, steering=steering,
    )  # fmt: skip


def _target(task: Task, images: Sequence[Image], settings: Settings) -> Target:
    """Return how the results are written."""
    source = images[0] if task.inputs else None
    target = target_for(settings.format, source, settings.depth, settings.output_space)
    return replace(
        target,
        premultiplied=settings.premultiplied,
        parts=settings.exr_parts,
        ground=ground_of(settings.flatten, target.encoding),
        opaque=task.command == "remove" and source is not None and source.alpha is None,
        trim=settings.trim,
        rest=source.taken if source is not None and settings.keep_layers and target.format == "exr" else None,
    )


def _as_given(
    task: Task, images: Sequence[Image], prompt: str, defaults: Defaults, settings: Settings, target: Target
) -> Prepared:
    """Show pictures as they are, each on a canvas of its own shape; what the model makes has the first one's size."""
    if defaults.shared:
        side = settings.canvas or defaults.canvas
        settings = replace(settings, canvas=round(SHARE * side / math.sqrt(len(images) + len(task.outputs))))
    views: list[Tensor] = []
    warnings: tuple[str, ...] = ()
    scenes = [image for image in images if is_scene(image)]
    metered = meter(scenes[0]) if scenes else None  # of all of them
    exposures = [exposure_of(image, metered, settings.exposure) for image in images]
    for image, exposure in zip(images, exposures, strict=True):
        plate, _ = plate_of(image, target.encoding)
        alpha = None if image.alpha is None else torch.from_numpy(image.alpha)
        canvas = choose_canvas(*image.size, _limited(image, defaults, settings), defaults.multiple)
        views.append(view_of(image, plate, target.encoding, exposure, alpha, task, canvas))
        warnings = *warnings, *image.notes, *_lost(image, target, plate)
    source = images[0] if images else None
    limit = _limited(source, defaults, settings) if source else settings.canvas or defaults.canvas
    height, width = source.size if source else (limit, limit)
    canvas = choose_canvas(settings.height or height, settings.width or width, limit, defaults.multiple)
    targets = (canvas.size,) * len(task.outputs)
    request = Request(prompt, tuple(views), targets, settings.seed, task=task.name, negative=settings.negative)
    return Prepared(task, request, canvas, target, source, warnings=warnings, exposure=next(iter(exposures), None))


def _limited(image: Image, defaults: Defaults, settings: Settings) -> int:
    """Return the side of the canvas for a picture: no larger than the picture's own, unless pictures are enlarged."""
    side = settings.canvas or defaults.canvas
    enlarge = defaults.enlarge if settings.enlarge is None else settings.enlarge
    return side if enlarge else min(side, round(math.sqrt(image.size[0] * image.size[1])))


def _lost(source: Image, target: Target, plate: Tensor) -> Iterator[str]:
    """Say what of a picture, and its `plate` (3, H, W), its result cannot hold."""
    if source.windows is not None and target.format != "exr":
        yield RunNote(f"{source.path}: {target.format} has no data window, so its display window alone is written")
    if target.depth in ("8", "16") and is_scene(source) and (plate > 1).any():
        yield RunNote(f"{source.path}: what is brighter than white is cut off in {target.format}; exr keeps it")


def _clean_plate(image: Image, plate: Tensor, encoding: Encoding, exposure: Exposure | None) -> Tensor | None:
    """Return a clean plate (3, H, W), moved and exposed like the `plate` (3, H, W), or None of another view."""
    clean = match_plate(plate, resample(plate_of(image, encoding)[0], *plate.shape[1:]))
    return clean if show_one_view(*(to_view(one, encoding, exposure) for one in (plate, clean))) else None


def own_alpha(image: Image, task: Task) -> tuple[Tensor | None, tuple[str, ...]]:
    """Return the picture's own alpha (H, W) where it counts for the task, and warnings.

    A foreground's always counts. A matte multiplies it in, unless it is constant. Other tasks ignore it.
    """
    foreground = task.inputs[0] == "foreground"
    if image.alpha is None:
        return None, ("it has no alpha channel, so all of it is foreground",) if foreground else ()
    alpha = torch.from_numpy(image.alpha)
    if foreground:
        return alpha, ()
    low, high = alpha.aminmax()
    if low == high and low in (0, 1):
        return None, (f"its alpha channel is {low:.0f} everywhere, and was ignored",)
    return (alpha, ()) if task.command == "matte" else (None, ("its alpha channel was ignored",))


def _drawn_canvas(height: int, width: int, side: int, multiple: int, *, square: bool) -> Canvas:
    """Return the canvas, as large as the model draws, of what words alone make: in its result's shape, or square."""
    if not square:
        return choose_canvas(height, width, side, multiple)
    side = max(1, round(side / multiple)) * multiple
    return Canvas(height, width, (side, side), (0, 0, side, side))
