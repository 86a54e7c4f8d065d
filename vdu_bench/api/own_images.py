"""Images as people have them, made into what a model takes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from vdu_bench.api.place import expanded
from vdu_bench.data.image_files import ENDINGS, images_in
from vdu_bench.data.squares import upright
from vdu_bench.errors import UserError
from vdu_bench.plain_json import parsed

METADATA = ("metadata.jsonl", "metadata.csv")
"""Where Hugging Face's image folders have the captions: columns ``file_name`` and ``text``."""


@dataclass(frozen=True)
class OwnImages:
    """Images of one's own.

    Attributes:
        images: uint8 ``[N, C, H, W]``.
        captions: N of them, where the folder tells them.
        untold: the folder's metadata, where it has some without a ``text``.
    """

    images: Tensor
    captions: list[str] | None = None
    untold: Path | None = None


def own_images(given: Any, shape: tuple[int, int, int], called: str) -> OwnImages:
    """The images of a folder, a list or a tensor.

    Of a folder those files are taken that are called like images, but hidden ones and what is in hidden folders. Files
    and PIL images are put into the model's colours, scaled to its size and cut to it from the middle. A tensor is taken
    as it is: uint8, or floating point in 0..1, ``[N, C, H, W]`` of the model's own size.

    Args:
        given: a folder (with all that is below it), a file, a PIL image, several of the latter two, or a tensor.
        shape: ``(C, H, W)`` of the images that the model makes; C is 1 or 3.
        called: the argument's name, for messages.

    Raises:
        UserError: there is nothing, a file is no image, or a tensor has another size or other values.
    """
    if isinstance(given, Tensor):
        return OwnImages(_checked(given, shape, called))
    if isinstance(given, str | Path):
        place = Path(expanded(given))
        if not place.exists():
            raise UserError(f"{called}: there is no {place}")
        if place.is_dir():
            return _folder(place, shape, called)
    found = [given] if isinstance(given, str | Path | Image.Image) else given
    if not isinstance(found, Sequence):
        raise UserError(
            f"{called} is a {type(given).__name__}: give a folder, a list of PIL images or of files, or a tensor"
        )
    if not found:
        raise UserError(f"{called}: there are no images in it")
    return OwnImages(torch.cat([_some(image, shape, called) for image in found]))


def _folder(folder: Path, shape: tuple[int, int, int], called: str) -> OwnImages:
    try:
        files = sorted(images_in(folder))
    except OSError as error:
        raise UserError(f"{called}: cannot read {error.filename}: {error.strerror}") from error
    if not files:
        raise UserError(f"{called}: there are no images in {folder} ({', '.join(ENDINGS)})")
    images = torch.cat([_some(file, shape, called) for file in files])
    captions, untold = _captions(folder)
    if not captions:
        return OwnImages(images, untold=untold)
    names = [file.relative_to(folder).as_posix() for file in files]
    if lacking := [name for name in names if name not in captions]:
        raise UserError(f"{called}: {folder} has captions, and none for {lacking[0]}")
    return OwnImages(images, [captions[name] for name in names])


def _captions(folder: Path) -> tuple[dict[str, str], Path | None]:
    """What a folder's metadata say of its files, by name, or else the first of them, in which there is no ``text``."""
    untold: Path | None = None
    for name in METADATA:
        if not (file := folder / name).is_file():
            continue
        try:
            text = file.read_bytes().decode("utf-8-sig")
            rows: Iterable[dict[str, Any]] = (
                csv.DictReader(io.StringIO(text, newline=""))
                if file.suffix == ".csv"
                else (parsed(line.encode()) for line in text.split("\n") if line.strip())
            )
            if told := {str(row["file_name"]): _text(row["text"]) for row in _told(rows)}:
                return told, None
            untold = untold or file
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise UserError(f"{file} cannot be read: it needs a file_name and a text for each image") from error
    return {}, untold


def _text(caption: object) -> str:
    if not isinstance(caption, str):
        raise TypeError(f"{caption!r} is no caption")
    return caption


def _told(rows: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    found = list(rows)
    return found if any("text" in row for row in found) else []


def _some(given: Any, shape: tuple[int, int, int], called: str) -> Tensor:
    """uint8 ``[N, C, H, W]``, N being 1 but of a tensor with more."""
    if isinstance(given, Tensor):
        return _checked(given, shape, called)
    if isinstance(given, str | Path):
        try:
            with Image.open(expanded(given)) as image:
                return _fitted(image, shape, given)
        except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
            raise UserError(f"{called}: {given} cannot be read as an image") from error
    if not isinstance(given, Image.Image):
        raise UserError(f"{called} holds a {type(given).__name__}: give PIL images, files or a tensor")
    return _fitted(given, shape, f"an image of {called}")


def _fitted(image: Image.Image, shape: tuple[int, int, int], name: object) -> Tensor:
    channels, height, width = shape
    found = upright(image, "L" if channels == 1 else "RGB", name)
    if found.size != (width, height):
        found = ImageOps.fit(found, (width, height), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.array(found)).reshape(1, height, width, channels).permute(0, 3, 1, 2).contiguous()


def _checked(images: Tensor, shape: tuple[int, int, int], called: str) -> Tensor:
    images = images.detach().cpu()
    images = images[None] if images.dim() == 3 else images
    if tuple(images.shape[1:]) != shape or not len(images):
        raise UserError(f"{called} is a tensor {list(images.shape)}, and the pipeline makes images of {list(shape)}")
    if images.dtype == torch.uint8:
        return images
    if not images.is_floating_point() or not bool(((images >= 0) & (images <= 1)).all()):
        raise UserError(f"{called} is a tensor of {images.dtype}: give uint8, or floating point in 0..1")
    return (images * 255).round().to(torch.uint8)
