"""The commands that read records: tables, plots, the gate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from vdu_bench.cli.completion import complete_metrics, complete_tasks
from vdu_bench.cli.options import NewRecords, Quiet, ReferenceOption, StoreOption, Tolerances, names_in, store_at
from vdu_bench.errors import UserError
from vdu_bench.plain_json import printable

results = typer.Typer()

TableFormat = Literal["terminal", "markdown", "csv", "latex", "json"]
Layout = Literal["leaderboard", "paper", "data", "robustness", "long"]
CheckFormat = Literal["terminal", "json", "github", "junit"]
PlotKind = Literal["all", "forget-images", "data"]
Scale = Literal["embedded", "small", "full"]
Folders = Annotated[
    list[Path] | None,
    typer.Argument(
        help="Folders of records, read together; the same cell in two of them is refused. Default: results."
    ),
]
RESULTS = Path("results")


@results.command()
def table(
    records: Folders = None,
    layout: Annotated[
        Layout,
        typer.Option(
            help="leaderboard: for each task a row a method, all metrics; paper: a row a method, forgetting and "
            "distance of all tasks beside each other and beside what is published; data: a row a method, forgetting "
            "and distance by how much data it may see; robustness: what attacks bring back; long: a tidy row a task, "
            "method, seed and metric."
        ),
    ] = "leaderboard",
    format: Annotated[
        TableFormat | None,
        typer.Option(
            help="terminal if not given; paper and data: terminal, markdown, latex or csv; long: csv or json."
        ),
    ] = None,
    scale: Annotated[
        Scale | None, typer.Option(help="Tasks of this scale alone. Without it, paper prints a table for each.")
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            "--task",
            "-t",
            autocompletion=complete_tasks,
            help="These tasks alone, or variants of them, with commas between.",
        ),
    ] = None,
    regime: Annotated[
        str | None,
        typer.Option(help="For data: the columns of these regimes alone (forget_only, forget_and_retain, full)."),
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(
            autocompletion=complete_metrics,
            help="For leaderboard: these metrics alone, in this order (vdu-bench list metrics).",
        ),
    ] = None,
    sort: Annotated[
        str | None,
        typer.Option(
            help="For leaderboard: rows by this metric, the best first, or by method, their names. References stay on "
            "top, and who destroyed the model after who did not."
        ),
    ] = None,
    published: Annotated[
        Path | None,
        typer.Option(
            help="For paper: a folder of published numbers, a YAML file a paper. Default: those of the suite."
        ),
    ] = None,
    settings: Annotated[
        bool,
        typer.Option(
            "--settings",
            help="Show each row's settings that differ from the method's defaults, and where they are from: default, "
            "task, tuned, published or command.",
        ),
    ] = False,
) -> None:
    """Print the tables of folders of records: leaderboards, the paper's, by data, what comes back, or tidy rows.

    A column's best mean is [bold]bold[/bold], or has a * where the output is piped; † marks what a paired test at 95 %
    does not tell from it; ⊗ a model beyond the task's quality limit, which competes for nothing; ◇ the Pareto front.
    LaTeX needs booktabs alone.

    Examples:

      vdu-bench table results

      vdu-bench table results mine

      vdu-bench table results --layout paper --format latex > table.tex

      vdu-bench table results --layout data --regime forget_only

      vdu-bench table results --layout robustness

      vdu-bench table results --task digits_1 --metrics pul_strict,fd_judge,nfe_forward --sort fd_judge

      vdu-bench table results --layout long --format csv > long.csv
    """
    from vdu_bench.records import read_records
    from vdu_bench.reports.families import of_scale, of_tasks
    from vdu_bench.reports.layouts import format_of, render_table, robustness_metrics
    from vdu_bench.reports.publish import print_data_table, print_leaderboard, print_paper_table

    viewed = "--metrics" if metrics is not None else "--sort" if sort is not None else ""
    regimes = [] if regime is None else names_in(regime, "--regime")
    form = format_of(layout, format, published, viewed, regimes)
    chosen = [] if metrics is None else names_in(metrics, "--metrics")
    found = read_records(*(records or [RESULTS]))
    if scale is not None:
        found = of_scale(found, scale)
    if task is not None:
        found = of_tasks(found, names_in(task, "--task"))
    if form != "terminal":
        typer.echo(render_table(found, layout, form, published, settings, chosen, sort, regimes), nl=False)
    elif layout == "paper":
        print_paper_table(found, published, settings)
    elif layout == "data":
        print_data_table(found, settings, regimes)
    else:
        print_leaderboard(found, settings, robustness_metrics(found) if layout == "robustness" else chosen, sort)


@results.command()
def plot(
    records: Folders = None,
    out: Annotated[Path | None, typer.Option(help="Where to; RECORDS if not given, where that is one folder.")] = None,
    kind: Annotated[
        PlotKind,
        typer.Option(
            help="all that the records allow; forget-images: forgetting and Frechet distance against their number "
            "alone; data: the same for each regime, and against the number of the posterior's snapshots."
        ),
    ] = "all",
    store: StoreOption = None,
    quiet: Quiet = False,
) -> None:
    """Draw folders of records: forgetting against quality, bars of each metric, sample grids, sweeps.

    Of models that were put under attack there are the curves of what comes back, VARIANT_METRIC_curve.

    Sample grids need the samples themselves, which are in the store of the run that made the records. Of several tasks
    there is also one picture of all of them, tasks_METRIC.

    A sweep shows how many forget images are enough. Runs with another number of them are kept apart, in one folder or
    in several inside one:

      vdu-bench run --task digits_1 --methods vdu --out sweep --set task.forget_images=25

      vdu-bench run --task digits_1 --methods vdu --out sweep

      vdu-bench plot sweep --kind forget-images

    With several regimes too, or other numbers of snapshots (--set task.posterior.snapshots=N), --kind data.
    """
    from vdu_bench.engine.grids import first_samples
    from vdu_bench.engine.progress import Progress
    from vdu_bench.files import require_place
    from vdu_bench.records import read_records
    from vdu_bench.reports.report import write_courses, write_data, write_plots, write_sweeps
    from vdu_bench.reports.tables.leaderboard import leaderboards
    from vdu_bench.writing import writing_to

    folders = records or [RESULTS]
    if out is None and len(folders) > 1:
        raise UserError("name the folder of the plots by --out: they are of several folders")
    found, folder = read_records(*folders), (out or folders[0]) / "plots"
    option = "--out" if out is not None else "the records' own folder (--out names another)"
    require_place(folder, option)
    samples = first_samples(found, store_at(store, Progress(quiet)), _warn) if kind == "all" else {}
    where = ", ".join(map(str, folders))
    written = []
    with writing_to(folder, option):
        if kind == "all":
            written = [*write_plots(leaderboards(found), folder, samples), *write_courses(found, folder)]
        sweeps = write_sweeps(found, folder) if kind != "data" else []
        data = write_data(found, folder) if kind != "forget-images" else []
    if kind == "forget-images" and not sweeps:
        raise UserError(
            f"{where}: there is no task that was run with two numbers of forget images; run it with --set "
            "task.forget_images=N and another N"
        )
    if kind == "data" and not data:
        raise UserError(
            f"{where}: there is no task that was run with two amounts of data; run it with another --regime or --set "
            "task.forget_images=N"
        )
    for file in [*written, *sweeps, *data]:
        typer.echo(str(file))


@results.command()
def check(
    records: NewRecords,
    reference: ReferenceOption = Path("results/reference"),
    tolerance: Tolerances = None,
    format: Annotated[
        CheckFormat, typer.Option(help="terminal, json, annotations of a GitHub workflow, or a JUnit XML file.")
    ] = "terminal",
    output: Annotated[
        Path | None, typer.Option(help="Write FORMAT to this file, and print the terminal's report beside it.")
    ] = None,
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Do not fail for cells that the new records lack.")
    ] = False,
) -> None:
    """The regression gate: exit with 1 if anything got worse than the reference, and say what, how much, how sure.

    Cells are paired by task, method and seed; the new records may hold some of the seeds. Losses are tested against
    the noise of samples and seeds, adjusted for all tests. Exit 0: nothing got worse; 2: the records do not compare.

    Examples:

      vdu-bench run --task digits_1 --methods vdu,esd --out new && vdu-bench check --records new --allow-missing

      vdu-bench check --records new --tolerance fd_judge=5% --format junit --output gate.xml
    """
    from vdu_bench.files import write_output
    from vdu_bench.reports.gate.formats import print_gate, render_gate
    from vdu_bench.reports.gate.losses import gated_metrics
    from vdu_bench.reports.gate.pairing import read_both
    from vdu_bench.reports.gate.tolerances import parse_tolerances
    from vdu_bench.reports.gate.verdicts import compare
    from vdu_bench.reports.screen import screen

    old, new = read_both(reference, records)
    both = [*old, *new]
    others = {name for record in both for name in record.metrics}
    found = compare(old, new, parse_tolerances(tolerance or [], gated_metrics(both), others), allow_missing)
    if output is not None:
        write_output(output, render_gate(found, format))
    if output is not None or format == "terminal":
        print_gate(found, screen())
    else:
        typer.echo(render_gate(found, format), nl=False)
    if not found.passed:
        raise typer.Exit(1)


@results.command()
def bless(
    records: NewRecords,
    reference: ReferenceOption = Path("results/reference"),
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove the reference's cells that the new records lack.")
    ] = False,
    reports: Annotated[
        bool, typer.Option("--reports", help="Make the tables and plots of the whole reference again too.")
    ] = False,
    packed: Annotated[
        bool,
        typer.Option("--packed", help="Keep all records in one compressed file, records.jsonl.gz; it then stays so."),
    ] = False,
    store: StoreOption = None,
) -> None:
    """Make new records the reference, and say what that changes, cell by cell.

    Replaces records alone, unless --reports is given: then tables and plots beside them are remade, sample grids of
    what the store still holds.
    """
    from vdu_bench.reports.gate.blessing import apply_blessing, plan_blessing

    blessing = plan_blessing(reference, records, prune, packed)
    apply_blessing(blessing)
    for line in blessing.lines:
        typer.echo(line)
    if reports:
        from vdu_bench.engine.grids import first_samples, samples_digest
        from vdu_bench.engine.progress import Progress
        from vdu_bench.records import read_records
        from vdu_bench.reports.report import write_reports
        from vdu_bench.writing import writing_to

        found = read_records(reference)
        place = store_at(store, Progress(quiet=True))
        grids = first_samples(found, place, _warn)
        with writing_to(reference, "--reference"):
            files = write_reports(found, reference, grids, samples_digest=samples_digest(found, place))
        for file in files:
            typer.echo(file)


def _warn(line: str) -> None:
    """To standard error, also where --quiet is given: standard output is the names of the files."""
    typer.echo(printable(line), err=True)
