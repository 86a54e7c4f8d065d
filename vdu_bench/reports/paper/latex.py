"""The paper's table as LaTeX."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from vdu_bench.reports.paper.cells import measured, published, row_title
from vdu_bench.reports.paper.table import PaperClass, PaperTable
from vdu_bench.reports.tables.fitting import GAP, NARROW, fitted
from vdu_bench.reports.tables.floats import floats, latex_row, latex_spans
from vdu_bench.reports.tables.render import header_lines, latex_escape, latex_header, latex_notes
from vdu_bench.reports.tables.text import ABSENT, Cell, header

_HEADER = 10
"""Characters in a line of a column's header."""


@dataclass(frozen=True)
class _Printed:
    """A column as plain text, before it is escaped."""

    family: str
    found: PaperClass
    header: str
    cells: tuple[Cell, ...]

    @property
    def lines(self) -> list[str]:
        """The header's."""
        return header_lines(self.header, _HEADER)

    @property
    def width(self) -> int:
        """In characters, with the gap beside it."""
        cells = [len(cell.plain) for cell in self.cells]
        return max(*map(len, self.lines), *cells) + GAP


def to_latex(tables: Iterable[PaperTable]) -> str:
    """A `table*` environment for each scale, or several that continue it; needs the booktabs package.

    Classes that do not fit beside each other stand under each other, each part with the methods before it.
    """
    return "\n".join(map(_table, tables))


def _table(table: PaperTable) -> str:
    titles = [row_title(table, method) for section in table.sections for method in section]
    blocks = [_tabular(table, columns) for columns in _parts(_columns(table), max(map(len, titles)))]
    if notes := latex_notes(table.notes):
        blocks.append(notes)
    title, name = table.scale.capitalize(), table.scale or "unknown"
    return floats(
        ((len(block), block) for block in blocks), table.caption, f"{title} scale, continued.", f"tab:paper-{name}"
    )


def _columns(table: PaperTable) -> list[_Printed]:
    rows = [method for section in table.sections for method in section]
    columns = []
    for group in table.data_sets:
        for found in group.classes:
            for column in found.columns:
                cells = tuple(measured(found, column, method) for method in rows)
                columns.append(_Printed(group.family, found, header(column.column), cells))
                for source in column.published:
                    cells = tuple(published(column, source, method) for method in rows)
                    columns.append(_Printed(group.family, found, f"published [{source.marker}]", cells))
    return columns


def _parts(columns: Sequence[_Printed], first: int) -> list[list[_Printed]]:
    """The columns in groups that fit the page beside the methods; a data set is cut only where it alone is too wide."""
    blocks: list[tuple[int, list[_Printed]]] = []
    room = NARROW - first
    for _, in_family in groupby(columns, key=lambda column: column.family):
        family = list(in_family)
        classes = [list(group) for _, group in groupby(family, key=lambda column: column.found.title)]
        blocks += map(_wide, [family] if _wide(family)[0] <= room else classes)
    return [[column for block in group for column in block] for group in fitted(blocks, room)]


def _wide(block: list[_Printed]) -> tuple[int, list[_Printed]]:
    return sum(column.width for column in block), block


def _tabular(table: PaperTable, columns: Sequence[_Printed]) -> list[str]:
    families = [(family, len(list(group))) for family, group in groupby(column.family for column in columns)]
    classes = [
        (title, len(list(group)))
        for (_, title), group in groupby((column.family, column.found.title) for column in columns)
    ]
    lines = [rf"\begin{{tabular}}{{@{{}}l{'r' * len(columns)}@{{}}}}", r"\toprule"]
    lines += latex_spans(families) + latex_spans(classes)
    lines.append(latex_row(["method", *(latex_header(column.lines) for column in columns)]))
    rows = zip(*(column.cells for column in columns), strict=True)
    for section in table.sections:
        printed = [
            latex_row([latex_escape(row_title(table, method)), *map(_cell, cells)])
            for method, cells in zip(section, rows, strict=False)
            # A method that has nothing in this part may have something in another.
            if any(cell.value != ABSENT for cell in cells)
        ]
        lines += [r"\midrule", *printed] if printed else []
    return [*lines, r"\bottomrule", r"\end{tabular}"]


def _cell(cell: Cell) -> str:
    if not any(character.isdigit() for character in cell.value):
        return latex_escape(cell.value)
    # In math mode a minus is no hyphen; a comma within a number needs braces to be no list's.
    text = re.sub(r"(?<=\d),(?=\d)", "{,}", rf"{cell.value}\ {cell.spread}".removesuffix("\\ "))
    text = text.replace("%", r"\%")
    return (rf"$\mathbf{{{text}}}$" if cell.bold else f"${text}$") + latex_escape(cell.mark)
