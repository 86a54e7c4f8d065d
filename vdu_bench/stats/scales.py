"""The scales on which seeds are compared and intervals made, so that no interval leaves its metric's range.

Shares come from counts, and half a count is added to each, so that none and all have a place on a logarithm too
(Haldane, "The estimation and significance of the logarithm of a ratio of frequencies", Annals of Human Genetics 20,
1956).
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from vdu_bench.measured import Scale

Floats = NDArray[np.float64]

_SMALLEST = np.finfo(np.float64).tiny
_EDGE = 1e-6
"""A chance nearer to 0 or 1 is taken to be this near: a few images cannot tell a smaller one."""
_LONGEST = 700.0
"""What float64 can still take the exponential of, on either side."""


class SeedScale(ABC):
    """A monotone map of a metric's values to numbers that scatter evenly.

    Values are float ``[...]`` in the metric's unit; `total`, broadcast to them, is the count that a share is of, and
    decides what half a count is. What a scale has no place for (a PUL above 100) is put at its end.
    """

    words: str
    """What it is called in a sentence."""
    counts: bool = False
    """Whether values are shares of counts, and their totals tell how much is known."""

    @abstractmethod
    def forward(self, values: ArrayLike, total: ArrayLike) -> Floats:
        """To the scale: float64 ``[...]``, finite for whatever lies in the metric's range."""

    @abstractmethod
    def back(self, places: ArrayLike, total: ArrayLike) -> Floats:
        """From the scale: float64 ``[...]``, always in the metric's range."""

    @abstractmethod
    def slope(self, values: ArrayLike, total: ArrayLike) -> Floats:
        """The size of `forward`'s derivative: float64 ``[...]``."""

    @abstractmethod
    def noise(self, values: ArrayLike, total: ArrayLike) -> Floats:
        """Up to a factor, the variance on the scale that `total` samples leave; 1 where it depends on neither."""


class _Ratio(SeedScale):
    """``log((k + 1/2) / (N + 1/2))`` of 100 (1 - k / N), where k of N are left, or more than N."""

    words = "log of the share left"
    counts = True

    def forward(self, values: ArrayLike, total: ArrayLike) -> Floats:
        return np.log((self._left(values, total) + 0.5) / (np.asarray(total) + 0.5))

    def back(self, places: ArrayLike, total: ArrayLike) -> Floats:
        total = np.asarray(total, dtype=np.float64)
        left = np.maximum(0.0, np.exp(np.minimum(places, _LONGEST)) * (total + 0.5) - 0.5)
        return np.asarray(100.0 * (1.0 - left / total))

    def slope(self, values: ArrayLike, total: ArrayLike) -> Floats:
        return np.asarray(total) / 100.0 / (self._left(values, total) + 0.5)

    def noise(self, values: ArrayLike, total: ArrayLike) -> Floats:
        return 1.0 / (self._left(values, total) + 0.5)

    @staticmethod
    def _left(values: ArrayLike, total: ArrayLike) -> Floats:
        return np.maximum(0.0, np.asarray(total) * (1.0 - np.asarray(values, dtype=np.float64) / 100.0))


class _Share(SeedScale):
    """``log((k + 1/2) / (N - k + 1/2))`` of 100 k / N."""

    words = "logit"
    counts = True

    def forward(self, values: ArrayLike, total: ArrayLike) -> Floats:
        hits, misses = self._counts(values, total)
        return np.asarray(np.log((hits + 0.5) / (misses + 0.5)))

    def back(self, places: ArrayLike, total: ArrayLike) -> Floats:
        total = np.asarray(total, dtype=np.float64)
        hits = expit(np.asarray(places, dtype=np.float64)) * (total + 1.0) - 0.5
        return np.asarray(100.0 * np.clip(hits / total, 0.0, 1.0))

    def slope(self, values: ArrayLike, total: ArrayLike) -> Floats:
        return np.asarray(total) / 100.0 * self.noise(values, total)

    def noise(self, values: ArrayLike, total: ArrayLike) -> Floats:
        hits, misses = self._counts(values, total)
        return np.asarray(1.0 / (hits + 0.5) + 1.0 / (misses + 0.5))

    @staticmethod
    def _counts(values: ArrayLike, total: ArrayLike) -> tuple[Floats, Floats]:
        hits = np.asarray(total) * np.clip(np.asarray(values, dtype=np.float64) / 100.0, 0.0, 1.0)
        return hits, np.asarray(total) - hits


class _Positive(SeedScale):
    """The logarithm of a positive number."""

    words = "log"

    def forward(self, values: ArrayLike, total: ArrayLike) -> Floats:  # noqa: ARG002
        return np.log(np.maximum(values, _SMALLEST))

    def back(self, places: ArrayLike, total: ArrayLike) -> Floats:  # noqa: ARG002
        return np.exp(np.clip(places, -_LONGEST, _LONGEST))

    def slope(self, values: ArrayLike, total: ArrayLike) -> Floats:  # noqa: ARG002
        return 1.0 / np.maximum(values, _SMALLEST)

    def noise(self, values: ArrayLike, total: ArrayLike) -> Floats:  # noqa: ARG002
        return np.ones_like(values, dtype=np.float64)


class _Chance(SeedScale):
    """The logit of a chance, 0 to 1, that is no share of a count, such as the area under a curve."""

    words = "logit"

    def forward(self, values: ArrayLike, total: ArrayLike) -> Floats:  # noqa: ARG002
        return np.asarray(logit(self._inside(values)))

    def back(self, places: ArrayLike, total: ArrayLike) -> Floats:  # noqa: ARG002
        return np.asarray(expit(np.asarray(places, dtype=np.float64)))

    def slope(self, values: ArrayLike, total: ArrayLike) -> Floats:  # noqa: ARG002
        inside = self._inside(values)
        return np.asarray(1.0 / (inside * (1.0 - inside)))

    def noise(self, values: ArrayLike, total: ArrayLike) -> Floats:  # noqa: ARG002
        return np.ones_like(values, dtype=np.float64)

    @staticmethod
    def _inside(values: ArrayLike) -> Floats:
        return np.clip(np.asarray(values, dtype=np.float64), _EDGE, 1.0 - _EDGE)


class _Signed(SeedScale):
    """Any number, as it is."""

    words = "value"

    def forward(self, values: ArrayLike, total: ArrayLike) -> Floats:  # noqa: ARG002
        return np.asarray(values, dtype=np.float64)

    def back(self, places: ArrayLike, total: ArrayLike) -> Floats:  # noqa: ARG002
        return np.asarray(places, dtype=np.float64)

    def slope(self, values: ArrayLike, total: ArrayLike) -> Floats:  # noqa: ARG002
        return np.ones_like(values, dtype=np.float64)

    def noise(self, values: ArrayLike, total: ArrayLike) -> Floats:  # noqa: ARG002
        return np.ones_like(values, dtype=np.float64)


SCALES: dict[Scale, SeedScale] = {
    "ratio": _Ratio(),
    "share": _Share(),
    "positive": _Positive(),
    "chance": _Chance(),
    "signed": _Signed(),
}
"""By `MetricFacts.scale`; ``range`` has none, since its ends are no interval."""
