"""Leaderboards as Markdown, CSV, LaTeX and JSON."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from vdu_bench.errors import UserError, did_you_mean
from vdu_bench.measured import Estimate
from vdu_bench.records import Record
from vdu_bench.reports.tables.leaderboard import Column, Leaderboard, leaderboards
from vdu_bench.reports.tables.text import caption, cell, header, method_text, seeds_text

_LATEX = str.maketrans(
    {
        **{character: f"\\{character}" for character in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "|": r"\textbar{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "↑": r"$\uparrow$",
        "↓": r"$\downarrow$",
        "±": r"$\pm$",
    }
)

_WIDTH = 120
"""Characters that stand beside each other in footnotesize on A4 paper with margins of an inch."""

_COLUMN = ("name", "label", "unit", "better")
"""What JSON says of a column."""

_GAP = 2
"""What stands between two columns, in characters."""

_SMALL = 7 / 8
"""The width of scriptsize in footnotesize's."""

_LATEX_SIZES: Any = [
    {"selector": "footnotesize", "props": ":"},
    {"selector": "setlength", "props": r":{\tabcolsep}{4pt}"},
]


def render(records: Iterable[Record], form: str) -> str:
    """The leaderboards of all tasks in the records, as one text that ends with a newline.

    Raises:
        UserError: when records of one task do not compare, or for an unknown format.
    """
    writers = {"markdown": to_markdown, "csv": to_csv, "latex": to_latex, "json": to_json}
    if form not in writers:
        raise UserError(f"unknown table format {form!r}{did_you_mean(form, writers)}")
    return writers[form](leaderboards(records))


def to_markdown(boards: Iterable[Leaderboard]) -> str:
    """A section for each task: caption, the table of the main metrics, the table of the rest, notes."""
    parts = []
    for board in boards:
        parts += [f"## {board.variant}", caption(board)]
        for frame in _display_frames(board, " "):
            parts.append(markdown_table(frame))
        if board.notes:
            parts.append("\n".join(f"- {note}" for note in board.notes))
    return "\n\n".join(parts) + "\n"


def markdown_table(frame: pd.DataFrame) -> str:
    """A frame of texts as a table: the first column to the left, the others to the right."""
    # A bar would end the cell, wherever it stands.
    escaped = frame.map(_markdown_cell).rename(columns=_markdown_cell)
    align = ["left"] + ["right"] * (escaped.shape[1] - 1)
    return escaped.to_markdown(index=False, disable_numparse=True, colalign=align)


def _markdown_cell(text: str) -> str:
    return text.replace("|", r"\|")


def to_csv(boards: Iterable[Leaderboard]) -> str:
    """One table for all tasks: a row per task and method; each metric's value, low and high, unrounded.

    `forget_images` is empty where a method could draw from all of them, `scale` where no cell was measured.
    """
    rows: list[dict[str, Any]] = []
    for board in boards:
        for row in board.rows:
            numbers: dict[str, Any] = {}
            for column in board.columns:
                estimate = row.estimates.get(column.name, Estimate())
                numbers |= {
                    column.name: estimate.value,
                    f"{column.name}_low": estimate.low,
                    f"{column.name}_high": estimate.high,
                }
            rows.append(
                {"task": board.setup, "forget_images": board.forget_images, "scale": board.scale}
                | {"method": row.method, "role": row.role, "regime": row.regime}
                | {"seeds": " ".join(map(str, row.seeds)), "status": row.status}
                | numbers
            )
    frame = pd.DataFrame(rows).astype({"forget_images": "Int64"})
    return frame.to_csv(index=False, lineterminator="\n")


def to_latex(boards: Iterable[Leaderboard]) -> str:
    """`table*` environments for each task, the main metrics and the rest; needs the booktabs package.

    Headers are broken into lines, and intervals stand in small print under their values; metrics that are still too
    many for a page's width are continued in another table.
    """
    tables = []
    for board in boards:
        frames = _display_frames(board, "\n")
        for frame, suffix, title in zip(frames, ("", "_more"), ("", ", further metrics"), strict=True):
            for number, part in enumerate(_page_wide(frame), 1):
                text = f"{board.variant}{title}. {caption(board)}"
                continued = number > 1
                styler = part.map(_latex_cell).rename(columns=_latex_column).style.hide(axis="index")
                styler.set_table_styles(_LATEX_SIZES)
                tables.append(
                    styler.to_latex(
                        hrules=True,
                        column_format="@{}l" + "r" * (part.shape[1] - 1) + "@{}",
                        environment="table*",
                        position_float="centering",
                        caption=latex_escape(f"{board.variant}{title}, continued." if continued else text),
                        label=f"tab:{board.variant}{suffix}" + (f"_{number}" if continued else ""),
                    )
                )
    return "\n".join(tables)


def _page_wide(frame: pd.DataFrame) -> list[pd.DataFrame]:
    """The frame in parts that fit a page, each with the methods before it."""

    def width(name: str) -> float:
        cells = [text.split("\n") for text in frame[name]]
        plain = [*header_lines(name), *(lines[0] for lines in cells)]
        small = [line for lines in cells for line in lines[1:]]
        return max([len(line) for line in plain] + [_SMALL * len(line) for line in small]) + _GAP

    methods, *names = frame.columns
    room = _WIDTH - width(methods)
    parts: list[list[str]] = [[]]
    for name in names:
        if parts[-1] and sum(map(width, [*parts[-1], name])) > room:
            parts.append([])
        parts[-1].append(name)
    return [frame[[methods, *part]] for part in parts]


def latex_escape(text: str) -> str:
    """Plain text for LaTeX's text mode, in a table's cell too."""
    escaped = text.translate(_LATEX)
    # Right after a line's end these would be an argument of it.
    return f"{{}}{escaped}" if escaped.startswith(("[", "*")) else escaped


def _latex_cell(text: str) -> str:
    value, *interval = latex_escape(text).split("\n")
    return _latex_lines([value, rf"{{\scriptsize {interval[0]}}}"], "t") if interval else value


def header_lines(text: str, width: int = 14) -> list[str]:
    """A column's header in lines of at most `width` characters, but for longer words."""
    return textwrap.wrap(text.replace("_", " "), width, break_long_words=False)


def latex_header(lines: Sequence[str]) -> str:
    """A column's header, from its `header_lines`, for LaTeX."""
    return _latex_lines(list(map(latex_escape, lines)), "b")


def _latex_column(text: str) -> str:
    return latex_header(header_lines(text))


def _latex_lines(lines: Sequence[str], baseline: str) -> str:
    if len(lines) == 1:
        return lines[0]
    return rf"\begin{{tabular}}[{baseline}]{{@{{}}r@{{}}}}" + r" \\ ".join(lines) + r"\end{tabular}"


def to_json(boards: Iterable[Leaderboard]) -> str:
    """A list with an object for each task; estimates as in the records, NaN as null."""
    return json.dumps([_plain(board) for board in boards], indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _plain(board: Leaderboard) -> dict[str, Any]:
    return {
        "task": board.setup,
        "forget": board.forget,
        "forget_images": board.forget_images,
        "forget_set": board.forget_set,
        "protocol": board.protocol and board.protocol.model_dump(mode="json"),
        "columns": [{name: getattr(column, name) for name in _COLUMN} for column in board.columns],
        "rows": [
            vars(row) | {"estimates": {name: _finite(found) for name, found in row.estimates.items()}}
            for row in board.rows
        ],
        "notes": board.notes,
    }


def _finite(estimate: Estimate) -> dict[str, Any]:
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in vars(estimate).items()
    }


def _display_frames(board: Leaderboard, separator: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The main metrics and the rest as text; the separator stands between value and interval."""
    methods = [method_text(row) for row in board.rows]
    main = pd.DataFrame({"method": methods} | _texts(board, board.main_columns, separator))
    rest = pd.DataFrame(
        {"method": methods}
        | _texts(board, board.other_columns, separator)
        | {
            "regime": [row.regime for row in board.rows],
            "seeds": [seeds_text(row.seeds) for row in board.rows],
            "status": [row.status for row in board.rows],
        }
    )
    return main, rest


def _texts(board: Leaderboard, columns: Sequence[Column], separator: str) -> dict[str, list[str]]:
    return {
        header(column): [separator.join(filter(None, cell(row, column))) for row in board.rows] for column in columns
    }
