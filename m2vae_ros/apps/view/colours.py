# SPDX-License-Identifier: Apache-2.0
"""In which colour an object is drawn, and what is written at it."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import ImageColor

from m2vae_ros.fusion.attributes import Marginal, described
from m2vae_ros.fusion.belief import Belief
from m2vae_ros.ros.markers import PALETTE

Colour = tuple[int, int, int]
"""Red, green, blue, 0 to 255."""

UNKNOWN: Colour = (128, 132, 140)
"""Of what nothing is known; grey on a dark ground."""

STRANGE: Colour = (190, 120, 255)
"""Of what is none of the things that are known."""

DULLEST = 0.35
"""Share of its own colour that an object of no certain class has."""

LIGHTER = 0.25
"""Share of white, so that names of dark colours show on a dark ground."""

NOT_KNOWN = "?"


def named_colour(name: str) -> Colour | None:
    """The colour that a value such as "red" says; None if it says none."""
    try:
        red, green, blue = ImageColor.getrgb(name)[:3]
    except ValueError:
        return None
    return mixed((red, green, blue), (255, 255, 255), LIGHTER)


def belief_colour(belief: Belief, found: Sequence[Marginal]) -> Colour:
    """That of what it is taken for, the greyer the less certain it is.

    Where the values of an attribute are names of colours, it is the value's, once that is known;
    else each class has one of the palette.

    Args:
        belief: to draw.
        found: its marginals.
    """
    if belief.unknown:
        return STRANGE
    if not belief.likeliest:
        return UNKNOWN
    share = DULLEST + (1.0 - DULLEST) * belief.certainty
    for marginal in found:
        if all(map(named_colour, marginal.values)):
            colour = named_colour(marginal.known() or "")
            return UNKNOWN if colour is None else mixed(UNKNOWN, colour, share)
    return mixed(UNKNOWN, palette_colour(belief.likeliest[0]), share)


def palette_colour(number: int) -> Colour:
    """One that is easily told from the others."""
    red, green, blue = ImageColor.getrgb(PALETTE[number % len(PALETTE)])[:3]
    return mixed((red, green, blue), (255, 255, 255), LIGHTER)


def mixed(one: Colour, other: Colour, share: float) -> Colour:
    """Of two colours; `share` from 0, the one, to 1, the other."""
    red, green, blue = (round(a + share * (b - a)) for a, b in zip(one, other, strict=True))
    return red, green, blue


def label(belief: Belief, found: Sequence[Marginal]) -> str:
    """What is known of each attribute, for instance "red · ? · mat"; "unknown"; or its name."""
    return "unknown" if belief.unknown else described(found) or belief.embedding.object_id


def cell(marginal: Marginal) -> str:
    """The likeliest value of an attribute, with its probability below .995; "?" if not known."""
    known = marginal.known()
    return known + marginal.doubt if known else NOT_KNOWN
