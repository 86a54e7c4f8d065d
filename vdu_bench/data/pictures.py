"""Image files decoded as they are, or brought to one size and number of channels."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from torch import Tensor
from tqdm import tqdm

from vdu_bench.data.squares import square, upright
from vdu_bench.errors import UserError, flat

GREY = ("1", "L", "LA")
"""Pillow's modes of one channel, with transparency or without."""


def channels_in(files: Sequence[Path]) -> int:
    """1 where every file is grey, else 3. Raises UserError for a file that is no image."""
    for file in files:
        with _opened(file) as image:
            if image.mode not in GREY:
                return 3
    return 1


def side_of(files: Sequence[Path]) -> int | None:
    """The height and width in pixels, where all files are squares of one size; else None.

    Raises UserError for a file that is no image.
    """
    found = set()
    for file in files:
        with _opened(file) as image:
            found.add(image.size)
        if len(found) > 1:
            return None
    width, height = found.pop()
    return width if width == height else None


def read_pictures(files: Sequence[Path], channels: int, size: int | None, label: str) -> Tensor:
    """The images: uint8 ``[N, channels, size, size]``.

    Transparency is dropped, and a photograph is turned as its camera was held. A bar goes with it where standard error
    is a terminal.

    Args:
        files: at least one.
        channels: 1, grey, or 3.
        size: height and width, to which `square` crops and resizes; None where all are squares of one size as they are.
        label: of the bar.

    Raises:
        UserError: a file is missing, damaged, of more than 8 bits a channel, or, without `size`, of another size.
    """
    pixels: NDArray[np.uint8] | None = None
    # None lets tqdm decide by whether standard error is a terminal.
    for place, file in enumerate(tqdm(files, desc=label, leave=False, file=sys.stderr, disable=None)):
        image = _decoded(file, channels, size)
        side = image.shape[-1]
        if image.shape[-2] != side or (pixels is not None and side != pixels.shape[-1]):
            other = "" if pixels is None else f", and others are {pixels.shape[-1]} x {pixels.shape[-1]}"
            raise UserError(
                f"{file} has {side} x {image.shape[-2]} pixels{other}: give the height and width of all images by "
                "data.size, such as 32"
            )
        if pixels is None:
            # Decoded into the place they stay in: a list of them would be the whole data set once more.
            pixels = np.empty((len(files), *image.shape), np.uint8)
        pixels[place] = image
    if pixels is None:
        raise ValueError("there is no file to read")
    return torch.from_numpy(pixels)


def _decoded(file: Path, channels: int, size: int | None) -> NDArray[np.uint8]:
    with _opened(file) as image:
        try:
            whole = upright(image, "L" if channels == 1 else "RGB", file)
        except UserError:
            raise
        except (OSError, SyntaxError, ValueError) as error:  # Pillow's for what is damaged within
            raise UserError(f"{file} is damaged: {flat(error)}; mend it or take it away") from error
    found = np.asarray(whole if size is None else square(whole, size))
    return found.reshape(*found.shape[:2], channels).transpose(2, 0, 1)


def _opened(file: Path) -> Image.Image:
    try:
        return Image.open(file)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        # Pillow's own message repeats the whole path.
        reason = "no image that Pillow can read" if isinstance(error, UnidentifiedImageError) else flat(error)
        raise UserError(f"{file} cannot be read: {reason}; mend it or take it away") from error
