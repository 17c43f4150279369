"""Describe every setting for the terminal, and make options."""

from typing import Any

import typer

from ..picture.settings import LEAST, parse_colour
from ..status import UsageError

PANELS = INPUTS, OUTPUT, MODEL, RUN = "Inputs", "Output", "Model", "Run"


def option(*names: str, panel: str, help: str, **more: Any) -> Any:
    """Return a Typer option in a panel; its environment variable is named after its first long name."""
    long = next(name for name in names if name.startswith("--"))
    variable = "OMNIALPHA_" + long.split("/")[0][2:].upper().replace("-", "_")
    return typer.Option(*names, rich_help_panel=panel, help=help, envvar=variable, **more)


def colour(text: str) -> str:
    """Return a colour as `#rrggbb`, for Typer."""
    try:
        return parse_colour(text)
    except UsageError as error:
        raise typer.BadParameter(str(error)) from error


# fmt: off
# Options of settings: their types and defaults are those of `picture.settings`, whose groups a command takes whole.
SETTINGS = {
    "format": option(
        "--format", panel=OUTPUT, show_default=False,
        help="File format; by default exr for half, float and log sources, else png. Layers go into one file, but for "
             "png and webp into a folder; jpg is for opaque results, of --flatten."),
    "depth": option(
        "--depth", panel=OUTPUT, show_default=False, help="Bits a channel; by default the source's."),
    "premultiplied": option(
        "--premultiplied", panel=OUTPUT, help="Write TIFF files with premultiplied alpha; EXR always has it."),
    "exr_parts": option(
        "--exr-parts", panel=OUTPUT, help="Layers in EXR as parts of the file, not as groups of channels."),
    "keep_layers": option(
        "--keep-layers", panel=OUTPUT, help="Write the other channels and parts of an EXR source beside the result."),
    "output_space": option(
        "--output-space", panel=OUTPUT, metavar="SPACE", show_default=False,
        help="Colour space of the results, by its name in $OCIO or the studio configuration; source is the source's. "
             "By default linear for EXR, else the source's where the file can tell of it."),
    "flatten": option(
        "--flatten", panel=OUTPUT, metavar="COLOUR", show_default=False, parser=colour,
        help="Put results on a colour, such as white or #ff8800, instead of transparency."),
    "trim": option(
        "--trim", panel=OUTPUT, min=LEAST["trim"], metavar="[MARGIN]", show_default=False,
        help="Crop results to the object, and leave so many pixels around it, by default none. Layers in PSD, ORA, "
             "TIFF and EXR (in parts) keep their place; that of other files is in the records."),
    "layer": option(
        "--layer", panel=INPUTS, metavar="NAME", show_default=False,
        help="Layer of EXR files; by default RGBA without a prefix, rgba, beauty, Combined, or the only one."),
    "view": option(
        "--view", panel=INPUTS, metavar="NAME", show_default=False, help="View of EXR files with several, as left."),
    "hint_layer": option(
        "--hint-layer", panel=INPUTS, metavar="NAME", show_default=False,
        help="Layer, or channel, of hints in EXR files, such as roto.A."),
    "input_space": option(
        "--input-space", panel=INPUTS, metavar="SPACE", show_default=False,
        help="Colour space of the pictures, such as 'ARRI LogC3 (EI800)' or ACEScg; by default what the files say."),
    "exposure": option(
        "--exposure", panel=INPUTS, metavar="STOPS", min=-30.0, max=30.0,
        help="Show the model pictures so much brighter; results are not changed by it otherwise."),
    "seed": option(
        "--seed", panel=MODEL, min=LEAST["seed"], help="Seed of the noise, the same for every item."),
    "steps": option(
        "--steps", panel=MODEL, min=LEAST["steps"], help="Sampling steps; by default the weights' own."),
    "guidance": option(
        "--guidance", panel=MODEL, min=LEAST["guidance"], help="Guidance scale; by default the weights' own."),
    "canvas": option(
        "--canvas", panel=MODEL, min=LEAST["canvas"], metavar="PIXELS",
        help="Side of the square whose area the network works at; by default the weights' own."),
    "enlarge": option(
        "--enlarge/--no-enlarge", panel=MODEL, show_default=False,
        help="Enlarge pictures that are smaller than the canvas; by default as the weights were trained: the embedded "
             "ones do, the published ones do not."),
    "refine": option(
        "--refine", panel=OUTPUT,
        help="How soft edges come to full size: guided by the picture, by its matting laplacian (slower, for stills "
             "with hair), or not at all, none."),
    "despill": option(
        "--despill", panel=OUTPUT, show_default=False,
        help="Take the light of a green or blue screen out of the foreground's colours; auto does so where there is "
             "a screen."),
    "mask_slack": option(
        "--mask-slack", panel=OUTPUT, min=LEAST["mask_slack"], metavar="PIXELS", show_default=False,
        help="With --mask, leave nothing further out of the mask than that; by default 2 % of the width."),
    "effects": option(
        "--effects", panel=OUTPUT, help="Take out the object's shadows and reflections, too, outside of the mask."),
    "grow": option(
        "--grow", panel=OUTPUT, min=LEAST["grow"], metavar="PIXELS",
        help="Reach so many pixels beyond the object: a mask that is cut sharply leaves its soft rim behind."),
}
# fmt: on
