"""What of a method's settings can be tuned, and over which values: a method's ``Settings.search``. Without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both of them included."""

    low: float
    high: float
    log: bool = False
    """Whether it is searched on a logarithmic scale, as suits rates and numbers of steps."""
    integer: bool = False
    """Whether these are whole numbers."""

    @property
    def ends(self) -> tuple[Any, ...]:
        """The first and the last value."""
        return (int(self.low), int(self.high)) if self.integer else (self.low, self.high)


@dataclass(frozen=True)
class Choice:
    """One of several values, without an order."""

    values: tuple[Any, ...]

    @property
    def ends(self) -> tuple[Any, ...]:
        """All of them."""
        return self.values


Space = Mapping[str, Range | Choice]
"""By setting, what it is searched over."""
