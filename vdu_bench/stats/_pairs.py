"""The 2x2 table of two indicators that were read on the same initial noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PairedCounts:
    """How many of the pairs showed the concept before, after, both times, or never."""

    both: int
    only_before: int
    only_after: int
    neither: int

    @property
    def before(self) -> int:
        """Hits before, whatever came after."""
        return self.both + self.only_before

    @property
    def after(self) -> int:
        """Hits after, whatever was before."""
        return self.both + self.only_after

    @property
    def n(self) -> int:
        """All pairs."""
        return self.both + self.only_before + self.only_after + self.neither


def count_pairs(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> PairedCounts:
    """Cross-tabulates two indicators.

    Args:
        before: bool ``[n]``; element i belongs to the same initial noise as element i of `after`.
        after: bool ``[n]``.

    Raises:
        ValueError: an array is not bool or not one-dimensional, the lengths differ, or there are no pairs.
    """
    for name, indicator in (("before", before), ("after", after)):
        if indicator.dtype != np.bool_ or indicator.ndim != 1:
            raise ValueError(f"{name} is a bool array [n], not {indicator.dtype} {list(indicator.shape)}")
    if len(before) != len(after):
        raise ValueError(f"pairs share their initial noise, but there are {len(before)} before and {len(after)} after")
    if len(before) == 0:
        raise ValueError("there are no pairs")
    both = int(np.count_nonzero(before & after))
    only_before = int(np.count_nonzero(before)) - both
    only_after = int(np.count_nonzero(after)) - both
    return PairedCounts(both, only_before, only_after, len(before) - both - only_before - only_after)
