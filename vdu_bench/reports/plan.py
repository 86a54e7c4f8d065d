"""What `run --dry-run` prints: the cells, what of them is there, and what the others are expected to take."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from vdu_bench.reports.screen import shown_whole
from vdu_bench.reports.tables.printed import Printed, printed_table

Line = tuple[str, str, str, str, str]
"""Row, seeds, done, evaluations, time."""

HEADERS = ("cells", "seeds", "done", "evaluations", "time")
GAP = 2
INDENT = "  "
"""Of a name's further lines."""
SHORTEST = 16
"""Characters that a name has at least, however narrow the terminal is."""


def print_plan(lines: Sequence[Line], notes: Sequence[str], console: Console) -> None:
    """A line for each row of each task, and sentences under them; names give way where there is no room for all."""
    names, *numbers = (Printed(name, tuple(Text(line[index]) for line in lines)) for index, name in enumerate(HEADERS))
    room = console.width - sum(column.width + GAP for column in numbers)
    folded = tuple(Text(fold(line[0], room)) for line in lines)
    console.print(printed_table([Printed(names.header, folded), *numbers], GAP))
    console.print()
    for note in notes:
        console.print(Text(note), soft_wrap=shown_whole(console))


def fold(name: str, room: int) -> str:
    """A name in lines of `room` characters, broken behind /, + and blanks where that can be."""
    room = max(room, SHORTEST)
    lines = [""]
    for piece in re.findall(r"[^/+ ]*[/+ ]|[^/+ ]+", name):
        rest = piece
        while rest:
            left = room - len(lines[-1])
            if len(rest.rstrip()) <= left:
                lines[-1] += rest
                break
            if lines[-1].strip():
                lines.append(INDENT)
            else:
                lines[-1] += rest[:left]
                rest = rest[left:]
                lines.append(INDENT)
    return "\n".join(line.rstrip() for line in lines)
