"""Testing many things at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """P-values adjusted for testing all of them at once, in the order given.

    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6, 1979: the
    k-th smallest of m is multiplied by m - k + 1, kept from falling below the one before it, and capped at 1. Holds
    the family-wise error under any dependence.

    Args:
        p_values: float ``[m]``, each 0..1; m may be 0.

    Returns:
        float64 ``[m]``, each 0..1 and no smaller than its raw value.

    Raises:
        ValueError: not one-dimensional, or a value is NaN or outside 0..1.
    """
    raw = np.asarray(p_values, dtype=np.float64)
    if raw.ndim != 1 or not ((raw >= 0.0) & (raw <= 1.0)).all():
        raise ValueError("p-values are a one-dimensional array of numbers in 0..1")
    order = np.argsort(raw, kind="stable")
    adjusted = np.empty_like(raw)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(raw[order] * np.arange(len(raw), 0, -1)))
    return adjusted
