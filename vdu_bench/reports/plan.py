"""What `run --dry-run` prints: the cells, what of them is there, and what the others are expected to take."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from vdu_bench.reports.screen import shown_whole
from vdu_bench.reports.tables.printed import Printed, printed_table

Line = tuple[str, str, str, str, str]
"""Row, seeds, done, evaluations, time."""

HEADERS = ("cells", "seeds", "done", "evaluations", "time")


def print_plan(lines: Sequence[Line], notes: Sequence[str], console: Console) -> None:
    """A line for each row of each task, and sentences under them."""
    columns = [Printed(name, tuple(Text(line[index]) for line in lines)) for index, name in enumerate(HEADERS)]
    console.print(printed_table(columns, 2))
    console.print()
    for note in notes:
        console.print(Text(note), soft_wrap=shown_whole(console))
