"""Where commands print to: a terminal, as wide as it is; a file or a pipe, where no line is folded."""

from __future__ import annotations

import os
from typing import IO

from rich.console import Console

UNFOLDED = 100_000
"""Characters of a line that nobody looks at the end of: other programs read it, and would take its parts for lines."""


def screen(file: IO[str] | None = None) -> Console:
    """A console on standard output, or on `file`.

    A terminal says how wide it is. What is no terminal has lines of any length, unless COLUMNS asks for a width.
    """
    console = Console(file=file)
    if not console.is_terminal and not os.environ.get("COLUMNS", "").isdecimal():
        console.width = UNFOLDED
    return console


def shown_whole(console: Console) -> bool:
    """Whether lines may be of any length there."""
    return console.width >= UNFOLDED
