"""The command that makes a page of records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vdu_bench.cli.options import StoreOption, store_at
from vdu_bench.cli.results import RESULTS, Folders
from vdu_bench.errors import UserError

paging = typer.Typer()


@paging.command()
def page(
    records: Folders = None,
    out: Annotated[Path, typer.Option(help="The folder of the page, which is its index.html.")] = Path("site"),
    title: Annotated[str, typer.Option(help="What the page is called.")] = "vdu-bench results",
    store: StoreOption = None,
) -> None:
    """Make one page of folders of records: tables that sort and filter, figures, and what is behind each number.

    The page is one file that needs nothing else and no network: send it, or open it from disk. Samples before and
    after are in it where the store of the run still has them. Takes vdu-bench\\[page].

    Examples:

      vdu-bench page results --out site

      vdu-bench page results mine --title "Ours and theirs"
    """
    from vdu_bench.engine.grids import samples_at
    from vdu_bench.engine.progress import Progress
    from vdu_bench.files import require_place
    from vdu_bench.reports.page.page import write_page

    require_place(out, "--out")
    if not title.strip():
        raise UserError("--title is empty; leave it out for 'vdu-bench results'")
    place = store_at(store, Progress(quiet=True))
    file = write_page(records or [RESULTS], out, lambda address, picks: samples_at(place, address, picks), title)
    typer.echo(f"{file} ({file.stat().st_size / 1e6:.1f} MB)")
