"""What is worked out of images once, however many metrics and cells ask for it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


class Memo:
    """Results by key. It stands among the readings of the images that they were worked out of, and lasts as long.

    For what is small beside the images and dear to make: a thousand scores, the mean and covariance of features.
    """

    def __init__(self) -> None:
        self._known: dict[Hashable, Any] = {}

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives, called the first time that `key` is asked for. The key says all that `make` rests on."""
        if key not in self._known:
            self._known[key] = make()
        found: T = self._known[key]
        return found
