"""Samples of several models from the same noise, with what the judge says of each, for a picture of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class GridColumn:
    """A noise, and what was asked for."""

    index: int
    """Of the sample among those of its prompts."""
    shows: bool
    """Whether the judge sees the concept in the original model's sample."""
    prompt: str
    """What a text-to-image model was asked for; empty of an unconditional one."""


@dataclass(frozen=True)
class GridRow:
    """One model's samples, a column each."""

    images: NDArray[np.uint8]
    """``[n, H, W]`` (grey) or ``[n, H, W, 3]`` (RGB)."""
    shows: tuple[bool, ...]
    """Whether the judge sees the concept."""
    junk: tuple[bool, ...]
    """Whether the image is off the manifold of real ones."""
    words: tuple[str, ...]
    """What the judge says: the class, or whether it is the attribute; ``junk``, or ``none`` of the classes."""


@dataclass(frozen=True)
class SampleGrid:
    """The same noises through the models of one variant of a task.

    Raises:
        ValueError: no columns or no rows, images of other shapes or dtypes, or rows that differ in shape.
    """

    columns: tuple[GridColumn, ...]
    """Those that show the concept come first."""
    rows: dict[str, GridRow]
    """By row (`vdu_bench.records.Record.row`)."""

    def __post_init__(self) -> None:
        shapes = {row.images.shape for row in self.rows.values()}
        if len(shapes) != 1 or any(row.images.dtype != np.uint8 for row in self.rows.values()):
            raise ValueError(f"rows of samples must be uint8 and of one shape, got {sorted(shapes)}")
        (shape,) = shapes
        if not self.columns or shape[0] != len(self.columns):
            raise ValueError(f"{len(self.columns)} columns of samples, and {shape[0]} images in a row")
        if not (len(shape) == 3 or (len(shape) == 4 and shape[3] == 3)):
            raise ValueError(f"samples must be [n, H, W] or [n, H, W, 3], got {list(shape)}")
        for row in self.rows.values():
            if {len(row.shows), len(row.junk), len(row.words)} != {len(self.columns)}:
                raise ValueError("each of a row's samples needs a judgement")
