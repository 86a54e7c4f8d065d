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

    As PNG where the samples are small, and as WebP, at a quality that a strip needs, of photographs.

    Args:
        images: uint8 ``[n, H, W]`` or ``[n, H, W, 3]``.
    """
    parts = [_shrunk(Image.fromarray(image)) for image in images]
    width, height = parts[0].size
    whole = Image.new(parts[0].mode, (width * len(parts), height))
    for index, part in enumerate(parts):
        whole.paste(part, (index * width, 0))
    found = []
    for form, settings in (("PNG", {"optimize": True}), ("WEBP", {"quality": 80, "method": 4})):
        content = io.BytesIO()
        whole.save(content, format=form, **settings)
        found.append((len(content.getvalue()), form.lower(), content.getvalue()))
    _, form, smallest = min(found)
    return f"data:image/{form};base64,{b64encode(smallest).decode()}"


def _shrunk(image: Image.Image) -> Image.Image:
    factor = _LARGEST / max(image.size)
    if factor >= 1:
        return image
    width, height = image.size
    return image.resize((max(1, round(width * factor)), max(1, round(height * factor))), Image.Resampling.BOX)
