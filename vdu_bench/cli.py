"""The command line: parse, call, print."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from vdu_bench.errors import UserError
from vdu_bench.methods.regime import Regime

# What every mistake in the arguments derives from, in typer's own copy of click as in the older separate one.
USAGE_ERROR: Any = typer.BadParameter.__base__
INTERRUPTED = 130

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    help="""Machine unlearning in diffusion models, measured.

    The main job, on a laptop: [bold]vdu-bench run --task digits_1 --methods vdu,esd[/bold]""",
)


TableFormat = Literal["terminal", "markdown", "csv", "latex", "json"]
Layout = Literal["leaderboard", "paper", "long"]
CheckFormat = Literal["terminal", "json", "github", "junit"]
ListFormat = Literal["text", "json"]
Kind = Literal["tasks", "methods", "metrics"]
PlotKind = Literal["all", "forget-images"]
Scale = Literal["embedded", "small", "full"]

Tasks = Annotated[
    str, typer.Option("--task", "-t", help="Task names with commas between, or a task file (./mine.yaml).")
]
Plugins = Annotated[
    list[Path] | None,
    typer.Option("--plugin", help="A Python file that registers a method, task source or metric; may be repeated."),
]
StoreOption = Annotated[
    Path | None,
    typer.Option(
        "--store", envvar="VDU_BENCH_STORE", help="Where stages are kept for reuse. Default: the user's cache folder."
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="A setting, METHOD.NAME=VALUE or task.NAME=VALUE, such as vdu.gamma=0.3; may be repeated."
    ),
]
SettingsFile = Annotated[
    Path | None, typer.Option("--settings", help="The same from a YAML file: {vdu: {gamma: 0.3}, task: {...}}.")
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        envvar="VDU_BENCH_DATA",
        help="Where MNIST, CIFAR-10 and tinyImageNet lie, in their official formats; without it, from the "
        "Hugging Face hub.",
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only results and errors.")]
ReferenceOption = Annotated[Path, typer.Option("--reference", help="The folder of the blessed records.")]
NewRecords = Annotated[Path, typer.Option("--records", help="The folder of the new records, as from run --out.")]
Format = Annotated[ListFormat, typer.Option(help="text for people, json for programs.")]


@app.command()
def run(
    task: Tasks,
    methods: Annotated[str, typer.Option("--methods", "-m", help="Method names with commas between, or all.")] = "all",
    seeds: Annotated[str, typer.Option(help="Seeds with commas between; each is a cell of its own.")] = "0",
    samples: Annotated[int | None, typer.Option(help="Images a cell; the task's own number if not given.")] = None,
    regime: Annotated[
        Regime, typer.Option(help="Which training data methods may see; full forbids nothing and counts everything.")
    ] = "full",
    settings: Settings = None,
    settings_file: SettingsFile = None,
    plugin: Plugins = None,
    data_dir: DataDir = None,
    device: Device = "auto",
    out: Annotated[Path, typer.Option(help="Folder for records, leaderboards and plots.")] = Path("results"),
    store: StoreOption = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Make the cells again, even those that are done.")] = False,
    dask: Annotated[
        str | None,
        typer.Option(help="Run cells on a Dask cluster: its scheduler's address or file. The store must be shared."),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Unlearn, sample, measure: one record for each task x method x seed, and a leaderboard of them.

    [bold]original[/bold] and [bold]retrain[/bold] are added to every table. What is done already is reused; a run that
    was cut off goes on where it was.

    Examples:

      vdu-bench run --task digits_1 --methods vdu,esd

      vdu-bench run --task digits_1,digits_8 --methods all --seeds 0,1,2

      vdu-bench run --task digits_1 --methods vdu --set vdu.gamma=0.3 --set vdu.steps=60

      vdu-bench run --task ./mine.yaml --methods mine --plugin my_method.py
    """
    from vdu_bench.engine.cells import expand
    from vdu_bench.engine.executors import DaskExecutor, LocalExecutor
    from vdu_bench.engine.grids import first_samples, samples_digest
    from vdu_bench.engine.progress import Progress
    from vdu_bench.engine.run import run_cells
    from vdu_bench.reports.publish import publish

    _load_plugins(plugin)
    method_settings, task_settings = _settings(settings, settings_file)
    if samples is not None:
        task_settings["samples"] = samples
    cells, left_out = expand(
        _tasks(task, task_settings),
        _names(methods, "--methods"),
        _seeds(seeds),
        regime,
        method_settings,
        device,
        _data_dir(data_dir),
    )
    progress = Progress(quiet)
    for line in left_out:
        progress.say(line)
    place = _store(store, progress)
    executor = (
        DaskExecutor(dask, place, progress, fresh, plugin or []) if dask else LocalExecutor(place, progress, fresh)
    )
    outcome = run_cells(cells, place, out, progress, executor, fresh)
    records = outcome.records
    publish(records, out, lambda: first_samples(records, place), samples_digest(records), progress.say)
    if outcome.failed:
        raise typer.Exit(1)


@app.command()
def prepare(
    task: Tasks,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Train everything again from the data, even what is there or shipped.")
    ] = False,
    export: Annotated[
        Path | None, typer.Option(help="Copy what was prepared to EXPORT/FAMILY/NAME, as it ships in the package.")
    ] = None,
    data_dir: DataDir = None,
    store: StoreOption = None,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Make what a task's methods share: base model with posterior, the retrained model, the judge.

    Training is kept every half minute and goes on from there when it was cut off.
    """
    from vdu_bench.engine.device import resolve_device
    from vdu_bench.engine.prepare import prepare_tasks
    from vdu_bench.engine.progress import Progress

    progress = Progress(quiet)
    tasks = _tasks(task, {})
    place, where = _store(store, progress), _data_dir(data_dir)
    artifacts = prepare_tasks(tasks, place, resolve_device(device), progress, rebuild, export, where)
    for name, artifact in artifacts.items():
        typer.echo(f"{name:24} {artifact.digest[:12]}  {artifact.folder}")


@app.command("list")
def list_(
    kind: Annotated[Kind, typer.Argument(help="What to list.")],
    plugin: Plugins = None,
    format: Format = "text",
) -> None:
    """List tasks, methods or metrics, with a line about each."""
    from vdu_bench.reports.listings import listing, print_listing

    _load_plugins(plugin)
    rows = listing(kind)
    if format == "json":
        typer.echo(json.dumps(rows, indent=1))
    else:
        print_listing(kind, rows)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A task, a method or a metric.")],
    plugin: Plugins = None,
    format: Format = "text",
) -> None:
    """Everything about one task, method or metric: settings with defaults, formula, source, needs."""
    from vdu_bench.reports.listings import description, print_description

    _load_plugins(plugin)
    facts = description(name)
    if format == "json":
        typer.echo(json.dumps(facts, indent=1))
    else:
        print_description(facts)


@app.command()
def table(
    records: Annotated[Path, typer.Argument(help="A folder of records.")] = Path("results"),
    layout: Annotated[
        Layout,
        typer.Option(
            help="leaderboard: for each task a row a method, all metrics; paper: a row a method, PUL and u-FID of all "
            "tasks beside each other and beside published numbers; long: a tidy row a task, method, seed and metric."
        ),
    ] = "leaderboard",
    format: Annotated[
        TableFormat | None,
        typer.Option(help="terminal if not given; paper: markdown (its default), latex or csv; long: csv or json."),
    ] = None,
    scale: Annotated[
        Scale | None, typer.Option(help="Tasks of this scale alone. Without it, paper prints a table for each.")
    ] = None,
    published: Annotated[
        Path | None,
        typer.Option(
            help="For paper: a folder of published numbers, a YAML file a paper. Default: those of the suite."
        ),
    ] = None,
) -> None:
    """Print the tables of a folder of records: leaderboards, the paper's table, or tidy rows.

    In the paper's table a column's best [bold]group[/bold] is bold: the best method and all that a paired test does not
    separate from it at 95 %. Its LaTeX needs the booktabs package alone.

    Examples:

      vdu-bench table results

      vdu-bench table results --layout paper --format latex > table.tex

      vdu-bench table results --layout long --format csv > long.csv
    """
    from vdu_bench.records import read_records
    from vdu_bench.reports.families import of_scale
    from vdu_bench.reports.publish import print_leaderboard
    from vdu_bench.reports.tables import format_of, render_table

    form = format_of(layout, format, published)
    found = read_records(records)
    if scale is not None:
        found = of_scale(found, scale)
    if form == "terminal":
        print_leaderboard(found)
    else:
        typer.echo(render_table(found, layout, form, published), nl=False)


@app.command()
def plot(
    records: Annotated[Path, typer.Argument(help="A folder of records.")] = Path("results"),
    out: Annotated[Path | None, typer.Option(help="Where to; RECORDS if not given.")] = None,
    kind: Annotated[
        PlotKind,
        typer.Option(help="all that the records allow, or forget-images: PUL and u-FID against their number alone."),
    ] = "all",
    store: StoreOption = None,
    quiet: Quiet = False,
) -> None:
    """Draw a folder of records: forgetting against quality, bars of each metric, sample grids, sweeps.

    Sample grids need the samples themselves, which are in the store of the run that made the records.

    A sweep shows how many forget images are enough. Runs with another number of them are kept apart, in one folder or
    in several inside one:

      vdu-bench run --task digits_1 --methods vdu --out sweep --set task.forget_images=25

      vdu-bench run --task digits_1 --methods vdu --out sweep

      vdu-bench plot sweep --kind forget-images
    """
    from vdu_bench.engine.grids import first_samples
    from vdu_bench.engine.progress import Progress
    from vdu_bench.records import read_records
    from vdu_bench.reports.leaderboard import leaderboards
    from vdu_bench.reports.report import write_plots, write_sweeps

    found, folder = read_records(records), (out or records) / "plots"
    written = []
    if kind == "all":
        samples = first_samples(found, _store(store, Progress(quiet)))
        written = write_plots(leaderboards(found), folder, samples)
    sweeps = write_sweeps(found, folder)
    if kind == "forget-images" and not sweeps:
        raise UserError(
            f"{records} has no task that was run with two numbers of forget images; run it with --set "
            "task.forget_images=N and another N"
        )
    for file in [*written, *sweeps]:
        typer.echo(str(file))


@app.command()
def check(
    records: NewRecords,
    reference: ReferenceOption = Path("results/reference"),
    tolerance: Annotated[
        list[str] | None,
        typer.Option(
            help="A loss that does not count, METRIC=NUMBER in the metric's own unit or METRIC=NUMBER% of the "
            "reference's value, such as pul=5 or fd_judge=5%; may be repeated."
        ),
    ] = None,
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
    from rich.console import Console

    from vdu_bench.reports.files import write_output
    from vdu_bench.reports.gate import compare
    from vdu_bench.reports.gate_formats import print_gate, render_gate
    from vdu_bench.reports.gated import gated_metrics
    from vdu_bench.reports.pairing import read_both
    from vdu_bench.reports.tolerances import parse_tolerances

    old, new = read_both(reference, records)
    found = compare(old, new, parse_tolerances(tolerance or [], gated_metrics([*old, *new])), allow_missing)
    if output is not None:
        write_output(output, render_gate(found, format))
    if output is not None or format == "terminal":
        print_gate(found, Console())
    else:
        typer.echo(render_gate(found, format), nl=False)
    if not found.passed:
        raise typer.Exit(1)


@app.command()
def bless(
    records: NewRecords,
    reference: ReferenceOption = Path("results/reference"),
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove the reference's cells that the new records lack.")
    ] = False,
) -> None:
    """Make new records the reference, and say what that changes, cell by cell.

    Replaces records alone: tables and plots beside them are remade by run, table and plot.
    """
    from vdu_bench.reports.blessing import apply_blessing, plan_blessing

    blessing = plan_blessing(reference, records, prune)
    apply_blessing(blessing)
    for line in blessing.lines:
        typer.echo(line)


def _load_plugins(files: list[Path] | None) -> None:
    if files:
        from vdu_bench.engine.plugins import load_plugin

        for file in files:
            load_plugin(file)


def _tasks(names: str, overrides: dict[str, Any]) -> list[Any]:
    from vdu_bench.tasks.loading import find_task, with_overrides

    return [with_overrides(find_task(name), overrides) for name in _names(names, "--task")]


def _names(text: str, option: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise UserError(f"{option} {text!r}: a name is empty; give names with commas between")
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise UserError(f"{option} names {doubled[0]!r} twice")
    return names


def _seeds(text: str) -> list[int]:
    seeds = []
    for word in _names(text, "--seeds"):
        if not word.isdecimal():
            raise UserError(f"--seeds {text!r}: {word!r} is not a whole number from 0 up")
        seeds.append(int(word))
    return seeds


def _settings(assignments: list[str] | None, file: Path | None) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    from vdu_bench.tasks.settings import read_settings

    settings = read_settings(assignments or [], file)
    task = settings.pop("task", {})
    return settings, task


def _data_dir(folder: Path | None) -> Path | None:
    # Expanded here, since no shell does that for what comes from VDU_BENCH_DATA.
    return folder.expanduser().absolute() if folder is not None else None


def _store(folder: Path | None, progress: Any) -> Any:
    from platformdirs import user_cache_path

    from vdu_bench.engine.shipped import shipped_artifacts
    from vdu_bench.engine.store import Store

    return Store(folder or user_cache_path("vdu-bench"), shipped_artifacts(), progress.say)


def main() -> None:
    """Run the command line; exit with 2 and one line for input that cannot be used, with 130 after Ctrl-C."""
    try:
        # Not standalone, so that the errors below come here; typer then returns the status of its Exit.
        status = app(prog_name="vdu-bench", standalone_mode=False) or 0
    except USAGE_ERROR as error:
        error.show()
        status = 2
    except UserError as error:
        typer.echo(f"vdu-bench: {error}", err=True)
        status = 2
    except (KeyboardInterrupt, typer.Abort):  # older typers let Ctrl-C through, newer ones make it an Exit
        status = INTERRUPTED
    if status == INTERRUPTED:
        typer.echo("\nvdu-bench: stopped; the same command goes on from here", err=True)
    sys.exit(status)
