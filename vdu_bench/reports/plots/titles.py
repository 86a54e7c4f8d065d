"""What a figure calls a metric: words, where tables have its short name."""

from __future__ import annotations

import re
from collections.abc import Iterable

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


_ENDS_OF_PARTS = re.compile(r"(?<=[ \[])|(?=\+)")
"""Where a line may end: behind a blank or a bracket, and before each change of a variant's name."""


def folded(text: str, width: int) -> str:
    """A text in lines of at most `width` characters, so that a figure cuts nothing off.

    Names of rows and variants have no blanks to be broken at but those between settings; a longer part is broken inside
    its words, if it has several.
    """
    lines = []
    for line in text.split("\n"):
        own = ""
        for part in _ENDS_OF_PARTS.split(line):
            if len((own + part).rstrip()) > width and own:
                lines.append(own.rstrip())
                own = ""
            while len(part.rstrip()) > width:
                at = max(part.rfind(mark, 0, width) for mark in "_=.") + 1 or width
                lines.append(part[:at])
                part = part[at:]
            own += part
        lines.append(own.rstrip())
    return "\n".join(lines)


def height_of(names: Iterable[str], line: float) -> float:
    """What folded names take under each other, of `line` for each of their lines."""
    return line * sum(name.count("\n") + 1 for name in names)
