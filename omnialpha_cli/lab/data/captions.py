"""Describe a triplet in words: its foreground, its background, and the scene.

A picture's own words (a label, a caption beside it) come first; without any, a background is described by what can be
measured of it, and a foreground has none.
"""

import re
from dataclasses import dataclass

import torch
from torch import Tensor

from ..train.augment import blur
from .harmony import opponent

ARTICLES = re.compile(r"(a|an|the|some|two|three|many|lights|sparks) ", re.IGNORECASE)
MASS = re.compile(r".*\blights\b.*|.*\b(smoke|steam|lightning|hair|water|fire|light|sparks|[a-z]+[^su]s)$")
NEUTRAL = 0.05  # below, a colour has no name but its lightness
COLOURS: dict[str, tuple[float, float, float]] = {
    "red": (0.75, 0.2, 0.2),
    "orange": (0.85, 0.5, 0.2),
    "yellow": (0.85, 0.8, 0.3),
    "green": (0.3, 0.6, 0.3),
    "blue": (0.3, 0.5, 0.8),
    "violet": (0.55, 0.35, 0.75),
    "pink": (0.85, 0.5, 0.65),
    "brown": (0.5, 0.36, 0.24),
}


@dataclass(frozen=True)
class Captions:
    """Hold words for foreground, background and scene; "" where nothing is known."""

    foreground: str
    background: str
    scene: str


def caption(label: str, behind: str, others: tuple[str, ...], effects: tuple[str, ...]) -> Captions:
    """Return captions from the words for the foreground and the background, other objects there, and effects."""
    foreground = named(label)
    background = setting(behind)
    rest = "".join(f", beside {named(other)}" for other in others if other)
    phrases = {"shadow": "casting a shadow", "reflection": "mirrored below", "light": "lighting its surroundings"}
    details = "".join(f", {phrases[effect]}" for effect in effects)
    place = f" in front of {background}" if background else ""
    scene = f"{foreground}{place}{rest}{details}" if foreground else background
    return Captions(foreground, background, scene)


def named(label: str) -> str:
    """Return a label with its article, where it takes one: "red apple" → "a red apple"."""
    label = label.strip().replace(": ", ", ")
    if not label or ARTICLES.match(label) or MASS.fullmatch(label.lower()):
        return label
    return f"{'an' if label[0].lower() in 'aeiou' else 'a'} {label}"


def setting(words: str) -> str:
    """Make a scene of a bare word or two for a background; more stay as they are."""
    if not words or ARTICLES.match(words) or len(words.split()) > 2:
        return words
    return named(f"{words} scene")


def describe(background: Tensor) -> str:
    """Describe a background (3, h, w) by its lightness, its colour, and whether it is blurred or plain."""
    mean = background.mean((1, 2))
    light, *chroma = opponent(mean[:, None, None]).flatten().tolist()
    tone = "dark" if light < 0.25 else "bright" if light > 0.7 else ""
    away = {
        name: sum((a - b) ** 2 for a, b in zip(_chroma(colour), chroma, strict=True))
        for name, colour in COLOURS.items()
    }
    colour = min(away, key=lambda name: away[name]) if max(map(abs, chroma)) > NEUTRAL else "grey"
    detail = float((background - blur(background, 2)).abs().mean())
    spread = float(background.std((1, 2)).max())
    texture = "plain" if spread < 0.04 else "blurred" if detail < 0.006 else ""
    return named(" ".join(word for word in (texture, tone, colour, "background") if word))


def _chroma(colour: tuple[float, float, float]) -> tuple[float, float]:
    _, red, blue = opponent(torch.tensor(colour)[:, None, None]).flatten().tolist()
    return red, blue
