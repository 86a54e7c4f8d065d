"""The page itself: one HTML file."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2

from vdu_bench import __version__
from vdu_bench.collecting import uncollected
from vdu_bench.files import write_atomically
from vdu_bench.records import Record, read_records
from vdu_bench.reports.comparable import by_variant
from vdu_bench.reports.families import scales
from vdu_bench.reports.method_style import method_styles
from vdu_bench.reports.page import libraries
from vdu_bench.reports.page.amounts import amounts_data
from vdu_bench.reports.page.boards import board_data
from vdu_bench.reports.page.details import Samples, details_data
from vdu_bench.reports.page.packing import packed
from vdu_bench.reports.tables.leaderboard import leaderboards
from vdu_bench.writing import writing_to

SCRIPTS = ("data.js", "marks.js", "board.js", "charts.js", "figures.js", "amounts.js", "details.js", "main.js")
"""In the order in which they stand in the page, where they are one module."""


def write_page(folders: Sequence[Path], out: Path, samples: Samples, title: str) -> Path:
    """Read folders of records and write ``index.html``; returns the file.

    Args:
        folders: of records, read together.
        out: the folder of the page; made where it is missing.
        samples: where the cells' images are from.
        title: what the page is called.

    Raises:
        UserError: as `read_records` and `leaderboards`, where a library of the page is not installed, and where `out`
            cannot be written.
    """
    libraries.check()
    with ThreadPoolExecutor(1) as beside, uncollected():
        beside.submit(libraries.plotting)
        text = page_text(read_records(*folders), samples, title)
    with writing_to(out, "--out"):
        return write_atomically(out / "index.html", text.encode())


def page_text(records: Sequence[Record], samples: Samples, title: str) -> str:
    """The whole page: the same text for the same records, samples and versions of the libraries.

    Args:
        records: of any number of tasks.
        samples: as `write_page`.
        title: as `write_page`.

    Raises:
        UserError: as `leaderboards`, and where a library of the page is not installed.
    """
    groups = dict(by_variant(records))
    # A reader looks for the tasks as they come first, and then for what was changed of them.
    boards = sorted(leaderboards(records), key=lambda board: board.variant != board.task)
    amounts, scale = amounts_data(records), scales(records)
    tables: list[dict[str, Any]] = []
    chunks: dict[str, str] = {}
    listed = []
    for index, board in enumerate(boards):
        group = groups[board.variant]
        data = board_data(board, group)
        if (table := amounts.get(board.variant)) is not None:
            if table not in tables:
                tables.append(table)
            data["amounts"] = f"amounts-{tables.index(table)}"
        chunks[f"board-{index}"] = packed(data)
        chunks[f"details-{index}"] = packed(details_data(board, group, samples))
        listed.append({"variant": board.variant, "scale": scale[board.variant], "rows": len(board.rows)})
    for index, table in enumerate(tables):
        chunks[f"amounts-{index}"] = packed(table)
    styles = method_styles({row.method for board in boards for row in board.rows})
    chunks["index"] = packed(
        {
            "boards": listed,
            "styles": {row: [style.color, style.dark, style.marker] for row, style in styles.items()},
        }
    )
    script = "\n".join(map(_asset, SCRIPTS))
    return _template("page.html").render(
        title=title,
        version=__version__,
        records=len(records),
        boards=listed,
        seeds=sorted({record.seeds.sample for record in records}),
        chunks=chunks,
        plotting=libraries.plotting(),
        tables=libraries.tables(),
        notices=_asset("notices.txt").rstrip(),
        style=_asset("page.css"),
        script=script,
        script_digest=b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def _asset(name: str) -> str:
    return (files("vdu_bench.reports.page") / "assets" / name).read_text(encoding="utf-8")


def _template(name: str) -> jinja2.Template:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    return environment.from_string(_asset(name))
