"""What fits a page, in print: how wide it is in characters, and what stands beside or under each other on it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

Block = TypeVar("Block")

NARROW = 100
"""Characters that stand beside each other in footnotesize on 410 pt, the narrowest page in common use."""
A4 = 120
"""The same on A4 paper with margins of an inch."""
GAP = 2
"""What stands between two columns, in characters."""
SMALL = 7 / 8
"""The width of scriptsize in footnotesize's."""


def fitted(blocks: Iterable[tuple[float, Block]], room: float) -> list[list[Block]]:
    """Blocks in their order, in groups whose lengths add up to no more than the room.

    Args:
        blocks: each with its length. One that is longer than the room is a group of its own.
        room: in the unit of the lengths.
    """
    groups: list[list[Block]] = []
    filled = 0.0
    for length, block in blocks:
        if not groups or filled + length > room:
            groups.append([])
            filled = 0.0
        groups[-1].append(block)
        filled += length
    return groups
