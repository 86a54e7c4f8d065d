"""Where commands print to: a terminal, as wide as it is; a file or a pipe, where no line is folded."""

from __future__ import annotations

import os
import re
from typing import IO

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

STAR = "*"
"""Stands for bold where that is not to be seen."""
UNFOLDED = 100_000
"""Characters of a line where no person looks: other programs read it, and would take the parts of a folded one for
lines."""


def screen(file: IO[str] | None = None) -> Console:
    """A console on standard output, or on `file`.

    A terminal says how wide it is. What is no terminal has lines of any length, unless COLUMNS asks for a width
    above 0.
    """
    console = Console(file=file)
    asked = os.environ.get("COLUMNS", "")
    if not console.is_terminal and not (asked.isdecimal() and int(asked)):
        console.width = UNFOLDED
    return console


def shows_bold(console: Console) -> bool:
    """Whether bold is to be seen there: not in a file, nor in a pipe."""
    return console.color_system is not None


def best_number(value: str, mark: str, best: bool, console: Console) -> Text:
    """A number and its mark, bold if it is the best of a column, or with a star where bold is not to be seen."""
    star = STAR * (best and not shows_bold(console))
    return Text(value + star + mark, style="bold" * best)


def as_seen(note: str, console: Console) -> str:
    """A note that explains what bold means, as it holds there."""
    return note if shows_bold(console) else re.sub(r"\b[Bb]old: ", f"{STAR}: ", note)


def fits(table: Table, console: Console) -> bool:
    """Whether a table's columns are all to be seen there, at the width below which they may not be folded."""
    return Measurement.get(console, console.options.update(width=UNFOLDED), table).minimum <= console.width


def shown_whole(console: Console) -> bool:
    """Whether lines may be of any length there."""
    return console.width >= UNFOLDED
