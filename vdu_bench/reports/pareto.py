"""The Pareto front of forgetting against quality."""

from __future__ import annotations

import math
from collections.abc import Sequence


def pareto_front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Indices of the points that no other beats, by ascending x.

    A point is (x, y), x better when lower, y better when higher. One beats another when it is at least as good in
    both and better in one, so that equal points stay together. A point that is not finite is never on the front.
    """
    order = sorted(
        (index for index, point in enumerate(points) if all(map(math.isfinite, point))),
        key=lambda index: (points[index][0], -points[index][1]),
    )
    front: list[int] = []
    for index in order:
        if not front or points[index][1] > points[front[-1]][1] or points[index] == points[front[-1]]:
            front.append(index)
    return front
