"""Small pictures of samples before and after, from the same noise, as text for a page."""

from __future__ import annotations

import io
from base64 import b64encode

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Images = NDArray[np.uint8]

COLUMNS = 8
"""Samples in a strip."""
_SHOWN = 6
"""How many of them, at most, are such that the original shows the concept."""
_LARGEST = 48
"""Pixels on a sample's longer side."""
_TINY = 16
"""Pixels on the longer side of samples that are kept without loss."""


def chosen(shown: NDArray[np.bool_]) -> list[int]:
    """Which samples a strip shows: the first ones where the original shows the concept, then the first of the others.

    Args:
        shown: bool ``[n]``, of the original.
    """
    yes, no = np.flatnonzero(shown), np.flatnonzero(~shown)
    few = min(_SHOWN, len(yes))
    picked = [*yes[:few], *no[: COLUMNS - few]]
    return [int(index) for index in [*picked, *yes[few : few + COLUMNS - len(picked)]]]


def strip(images: Images) -> str:
    """A ``data:`` address of the images side by side, without gaps.

    Without loss, as PNG, where samples are tiny; of others as PNG or WebP, whichever is smaller.

    Args:
        images: uint8 ``[n, H, W]`` or ``[n, H, W, 3]``.
    """
    parts = [_shrunk(Image.fromarray(image)) for image in images]
    width, height = parts[0].size
    whole = Image.new(parts[0].mode, (width * len(parts), height))
    for index, part in enumerate(parts):
        whole.paste(part, (index * width, 0))
    # Of so few pixels each one is seen.
    forms = ("PNG",) if max(width, height) <= _TINY else ("PNG", "WEBP")
    found = [(_encoded(whole, form), form) for form in forms]
    smallest, form = min(found, key=lambda one: len(one[0]))
    return f"data:image/{form.lower()};base64,{b64encode(smallest).decode()}"


def _encoded(image: Image.Image, form: str) -> bytes:
    content = io.BytesIO()
    image.save(content, format=form, **({"optimize": True} if form == "PNG" else {"quality": 80, "method": 4}))
    return content.getvalue()


def _shrunk(image: Image.Image) -> Image.Image:
    factor = _LARGEST / max(image.size)
    if factor >= 1:
        return image
    width, height = image.size
    return image.resize((max(1, round(width * factor)), max(1, round(height * factor))), Image.Resampling.BOX)
