"""Confidence levels."""

from __future__ import annotations


def tail(level: float) -> float:
    """The probability left out on each side of a two-sided interval: 0.025 for a level of 0.95.

    Raises:
        ValueError: `level` is not strictly between 0 and 1.
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"a confidence level lies strictly between 0 and 1, not {level}")
    return (1.0 - level) / 2.0
