"""Words in a figure that are told from their ground: 4.5 to 1, as WCAG 2.2 AA asks."""

from __future__ import annotations

from typing import Any

from matplotlib.colors import to_hex, to_rgb

WORDS = 4.5
"""Contrast that words need; marks need 3."""
_DARK, _LIGHT = "black", "white"
"""No softer: on a ground between, one of these two has at least 4.58 to 1; with a dark grey it is less than 4.5."""


def luminance(color: Any) -> float:
    """Relative luminance, 0 (black) to 1 (white).

    Args:
        color: anything that matplotlib takes for a colour.
    """
    red, green, blue = _linear(color)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: Any, second: Any) -> float:
    """From 1, which is none, to 21, which is black on white."""
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def text_color(color: Any) -> str:
    """The same hue for words on white: as it is, or just so much darker that it has the contrast; ``#rrggbb``."""
    allowed = 1.05 / WORDS - 0.05
    if luminance(color) <= allowed:
        return to_hex(color)
    # A little less than allowed, since hexadecimals are rounded.
    share = 0.98 * allowed / luminance(color)
    red, green, blue = (_gamma(share * part) for part in _linear(color))
    return to_hex((red, green, blue))


def text_on(ground: Any) -> str:
    """Dark or white, whichever is told better from the ground."""
    return max(_DARK, _LIGHT, key=lambda color: contrast(color, ground))


def _linear(color: Any) -> list[float]:
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in to_rgb(color)]


def _gamma(part: float) -> float:
    return 12.92 * part if part <= 0.0031308 else 1.055 * part ** (1 / 2.4) - 0.055
