"""Folders of made-up images: by class, or with a table of attributes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
from PIL import Image

CLASSES: Mapping[str, int] = MappingProxyType({"cat": 10, "dog": 20, "eel": 5})


def picture(file: Path, seed: int, size: tuple[int, int] = (8, 8), mode: str = "RGB") -> Path:
    """An image file of noise that is told from others by its seed; `size` is width and height."""
    file.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(noise).convert(mode).save(file)
    return file


def class_folders(
    folder: Path,
    counts: Mapping[str, int] = CLASSES,
    first: int = 0,
    size: tuple[int, int] = (8, 8),
    mode: str = "RGB",
) -> Path:
    """FOLDER/CLASS/000.png and so on, no two of them equal; returns the folder."""
    for name, count in counts.items():
        for number in range(count):
            picture(folder / name / f"{number:03}.png", first := first + 1, size, mode)
    return folder


def table(folder: Path, rows: Sequence[str], head: str = "file_name,hat,beard") -> Path:
    """FOLDER/metadata.csv; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metadata.csv").write_text("\n".join([head, *rows]) + "\n")
    return folder


def portraits_with_table(folder: Path, count: int = 20, size: tuple[int, int] = (8, 8)) -> Path:
    """`count` images below FOLDER/faces and a table of three attributes; returns the folder."""
    for number in range(count):
        picture(folder / "faces" / f"{number}.png", number, size)
    rows = [f"faces/{number}.png,{number % 2},{number % 3 == 0:d},{number % 5 < 2:d}" for number in range(count)]
    return table(folder, rows, "file_name,hat,long_hair,beard")
