"""The command that sets two folders of records side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from vdu_bench.errors import UserError

comparing = typer.Typer()

Format = Literal["terminal", "markdown", "csv"]


@comparing.command()
def compare(
    a: Annotated[Path, typer.Argument(help="A folder of records.")],
    b: Annotated[Path | None, typer.Argument(help="Another one; with --row it may be left out: A itself then.")] = None,
    row: Annotated[
        list[str] | None,
        typer.Option(
            "--row",
            help="Rows to set side by side, ROW_OF_A=ROW_OF_B; may be repeated. Default: all rows of one name.",
        ),
    ] = None,
    format: Annotated[Format, typer.Option(help="terminal, markdown, or csv (all metrics, unrounded).")] = "terminal",
    everything: Annotated[bool, typer.Option("--all", help="All metrics, and not the headline ones alone.")] = False,
) -> None:
    """Set two folders of records side by side: for each task, row and metric A, B, and how far they are apart.

    Differences are [bold]paired[/bold]: over the seeds that both have, and over the noise of the samples where these
    are counted one by one. So they are known far better than the rows themselves. Records that were not measured alike
    are refused (exit 2), with the field that differs. To fail for what got worse, there is [bold]check[/bold].

    Examples:

      vdu-bench compare results/reference results

      vdu-bench compare results --row "vdu\\[gamma=0.3]=vdu"

      vdu-bench compare results/reference results --row vdu=vdu --format csv --all > vdu.csv
    """
    from vdu_bench.records import read_records
    from vdu_bench.reports.compare.differences import compare_records
    from vdu_bench.reports.compare.formats import compared_csv, compared_markdown, print_compared
    from vdu_bench.reports.compare.rows import parse_rows
    from vdu_bench.reports.screen import screen

    rows = parse_rows(row or [])
    if not rows and (b is None or a.resolve() == b.resolve()):
        raise UserError("compare takes two folders, or one and --row ROW=OTHER_ROW for two rows of it")
    found = compare_records(read_records(a), read_records(a if b is None else b), rows)
    if format == "terminal":
        print_compared(found, screen(), everything)
    else:
        typer.echo(compared_csv(found) if format == "csv" else compared_markdown(found, everything), nl=False)
