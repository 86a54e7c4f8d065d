"""What a figure calls a metric: words, where tables have its short name."""

from __future__ import annotations

from vdu_bench.reports.tables.leaderboard import Column

_WORDS = {"fd": "Fréchet distance", "kid": "kernel distance", "fid": "FID", "clip": "CLIP", "pul": "PUL"}
"""What names abbreviate."""
_ENDS = {"judge": "(judge)", "inception": "(Inception)"}
"""Whose features a name ends in."""


def words(column: Column) -> str:
    """The metric's title, or its name in words: ``fd_judge`` is ``Fréchet distance (judge)``."""
    if column.title:
        return column.title
    *parts, last = column.name.split("_")
    return " ".join(
        [_WORDS.get(part, part) for part in parts] + [_WORDS.get(last, _ENDS.get(last, last) if parts else last)]
    )


def exact(column: Column) -> str:
    """The label that tables have, where it says more than the words do (extractor, number of samples), or empty."""
    return column.label if column.label != column.name else ""


def in_words(column: Column) -> str:
    """Such as ``Fréchet distance (judge), fd_judge_2000`` or ``strict PUL (%)``."""
    unit = f" ({column.unit})" if column.unit and column.unit not in words(column) else ""
    return ", ".join(filter(None, (words(column) + unit, exact(column))))
