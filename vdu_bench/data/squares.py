"""Photographs brought to one square size."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from tqdm import tqdm

from vdu_bench.errors import UserError

DEEP = ("I", "F")
"""How Pillow's modes of more than 8 bits a channel begin; it has none for those in colour."""


def upright(image: Image.Image, mode: str, name: object) -> Image.Image:
    """The image in a mode of 8 bits a channel, turned as its camera was held.

    Raises UserError, which calls it `name`, for one of more bits: Pillow would cut them off.
    """
    deep, bits = image.mode.startswith(DEEP), _bits(image)
    if deep or bits > 8:
        what = image.mode if deep else f"{bits} bits"
        raise UserError(f"{name} is of {what}, more than 8 bits a channel, which would be cut off; save it with 8")
    return ImageOps.exif_transpose(image).convert(mode)


def _bits(image: Image.Image) -> int:
    """Bits a channel in the file of an image that is not decoded yet; 8 where there is none, or of another format."""
    stream: BinaryIO | None = getattr(image, "fp", None)
    if stream is None:
        return 8
    if image.format == "PNG":
        place = stream.tell()
        stream.seek(24)  # the depth in the header, which comes first
        (depth,) = stream.read(1)
        stream.seek(place)
        return int(depth)
    if image.format == "TIFF":
        return max(getattr(image, "tag_v2", {}).get(258, (1,)))  # BitsPerSample
    if image.format == "PPM" and (tile := getattr(image, "tile", ())) and tile[0][0].startswith("ppm"):
        return int(tile[0][3][1]).bit_length()  # the largest value, which Pillow tells its decoder
    return 8


def square(image: Image.Image, size: int) -> Image.Image:
    """The largest square in the middle, resized to `size` x `size` pixels.

    By Pillow's bicubic filter, which widens with the scale, and so does not alias where an image shrinks. Where the
    margins are odd, the one more pixel is cut off right and below.
    """
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    # Cropped first: given a box to resize, the filter would look across its edge.
    return image.crop((left, top, left + side, top + side)).resize((size, size), Image.Resampling.BICUBIC)


def read_squares(
    pictures: Iterable[tuple[str, Path | BinaryIO]],
    count: int,
    size: int,
    label: str,
    original: tuple[int, int] | None = None,
) -> Tensor:
    """Image files in colour as `square` gives them: uint8 ``[count, 3, size, size]``.

    A bar goes with it where standard error is a terminal.

    Args:
        pictures: what to call each in a message, and its file.
        count: how many there are.
        size: height and width of the result, in pixels.
        label: of the bar.
        original: width and height that every file must have; any if not given.

    Raises:
        UserError: a file is missing, damaged, of more than 8 bits a channel or of another size; it is named.
    """
    # Decoded into the place they stay in: a list of them would be the whole data set once more.
    pixels = np.empty((count, 3, size, size), np.uint8)
    # None lets tqdm decide by whether standard error is a terminal.
    bar = tqdm(pictures, total=count, desc=label, leave=False, file=sys.stderr, disable=None)
    for target, (name, file) in zip(pixels, bar, strict=True):
        try:
            with Image.open(file) as image:
                if original is not None and image.size != original:
                    raise UserError(
                        f"{name} has {image.width} x {image.height} pixels, not {original[0]} x {original[1]}"
                    )
                target[:] = np.asarray(square(upright(image, "RGB", name), size)).transpose(2, 0, 1)
        except UserError:
            raise
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:  # Pillow's for what is broken
            raise UserError(f"{name} is missing or damaged: {error}") from error
    return torch.from_numpy(pixels)
