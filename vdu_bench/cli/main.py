"""The command line: parse, call, print."""

from __future__ import annotations

import errno
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from vdu_bench import __version__
from vdu_bench.cli.compare import comparing
from vdu_bench.cli.completion import complete_names, complete_tasks
from vdu_bench.cli.config import blamed
from vdu_bench.cli.export import exporting
from vdu_bench.cli.help_texts import join_paragraphs, reword
from vdu_bench.cli.home_folder import expand_home
from vdu_bench.cli.new import creating
from vdu_bench.cli.options import (
    Attacks,
    DataDir,
    Everything,
    Fresh,
    OneDevice,
    Out,
    Plugins,
    Quiet,
    Samples,
    Seeds,
    StoreOption,
    Tasks,
    TaskSettings,
    data_dir_at,
    load_plugins,
    names_in,
    publish_run,
    require_alone,
    seeds_in,
    settings_of_task,
    store_at,
    tasks_named,
    the_task,
)
from vdu_bench.cli.page import paging
from vdu_bench.cli.plain_output import make_output_plain
from vdu_bench.cli.results import results
from vdu_bench.cli.run import run
from vdu_bench.cli.store import storing
from vdu_bench.cli.sweep import sweeping
from vdu_bench.cli.tune import tuning
from vdu_bench.debugging import debugging, without_debug
from vdu_bench.errors import UserError
from vdu_bench.launch import rank
from vdu_bench.plain_json import printable, printable_line
from vdu_bench.writing import FULL, MEND

# What every mistake in the arguments derives from, in typer's own copy of click as in the older separate one.
USAGE_ERROR: Any = typer.BadParameter.__base__
INTERRUPTED = 130

CLOSED = (errno.EACCES, errno.EPERM)
"""What it says of a file that this process may not touch."""
WHY_CLOSED = "is it another account's, or open in another program? Mend that, and run the same command again"

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="""Machine unlearning in diffusion models, measured.

    The main job, on a laptop: [bold]vdu-bench run --task digits_1 --methods vdu,esd[/bold]

    With [bold]--debug[/bold] anywhere, errors come with their whole tracebacks.""",
)


ListFormat = Literal["text", "json"]
Kind = Literal["tasks", "methods", "probes", "metrics", "sources"]

Format = Annotated[ListFormat, typer.Option(help="text for people, json for programs.")]


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"vdu-bench {__version__}")
        raise typer.Exit


@app.callback()
def _of_all(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_say_version, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


app.command()(run)


@app.command()
def evaluate(
    task: Annotated[
        str,
        typer.Option(
            "--task", "-t", autocompletion=complete_tasks, help="A task's name, or a task file (./mine.yaml)."
        ),
    ],
    checkpoint: Annotated[
        str,
        typer.Option(
            "--checkpoint",
            "-c",
            help="A folder or hub id with a diffusers pipeline, a U-Net, a text encoder or a LoRA; or a file of "
            "weights or a LoRA.",
        ),
    ],
    name: Annotated[
        str | None, typer.Option(help="What it is called in the leaderboard; its own name if not given.")
    ] = None,
    unlearning_seconds: Annotated[
        float | None, typer.Option(help="How long its unlearning took, if you know; shown as you state it.")
    ] = None,
    seeds: Seeds = "0",
    samples: Samples = None,
    attacks: Attacks = None,
    settings: TaskSettings = None,
    plugin: Plugins = None,
    data_dir: DataDir = None,
    device: OneDevice = "auto",
    out: Out = Path("results"),
    store: StoreOption = None,
    fresh: Fresh = False,
    everything: Everything = False,
    quiet: Quiet = False,
) -> None:
    """Judge a model that was unlearned elsewhere: its row in the leaderboard, marked external, beside those in OUT.

    The checkpoint is a whole pipeline; or a U-Net, a text encoder, weights alone in diffusers' names (all, or some, as
    ESD's code saves them), or a LoRA, and these are put onto the task's own base. docs/checkpoints.md lists what is
    read and what is not. Safetensors are read first, and of pickled files
    nothing but tensors. What the unlearning cost is not known, and shown so. Seeds are those of the samples alone.

    Examples:

      vdu-bench evaluate --task faces_hats --checkpoint runs/no_hats/

      vdu-bench evaluate --task faces_hats --checkpoint esd-hat-from-hat-esdx.safetensors --name esd-x --seeds 0,1,2

      vdu-bench evaluate --task digits_1 --checkpoint somebody/ddpm-without-ones --unlearning-seconds 90
    """
    from vdu_bench.engine.attacks import under_attack
    from vdu_bench.engine.evaluate import evaluate_cells, evaluation_cells
    from vdu_bench.engine.few_samples import too_few
    from vdu_bench.engine.progress import Progress
    from vdu_bench.records import read_records
    from vdu_bench.reports.comparable import check_comparable

    require_alone()
    load_plugins(plugin)
    named = None if attacks is None else names_in(attacks, "--attacks")
    (judged_by,) = under_attack([the_task(task, settings, samples)], named, out)
    where = data_dir_at(data_dir)
    cells = evaluation_cells(judged_by, checkpoint, seeds_in(seeds), device, out, name, unlearning_seconds, where)
    progress = Progress(quiet)
    place = store_at(store, progress)
    for line in [f"store: {place.root}; results: {out}", *too_few([judged_by])]:
        progress.say(line)
    outcome = evaluate_cells(cells, place, out, progress, check_comparable, fresh)
    publish_run(read_records(out), out, place, progress, judged_by.name, everything)
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
    import_: Annotated[
        Path | None,
        typer.Option("--import", help="Take what was exported elsewhere into the store; train the rest."),
    ] = None,
    settings: TaskSettings = None,
    settings_file: Annotated[
        Path | None, typer.Option("--settings", help="The same from a YAML file: {task: {...}}.")
    ] = None,
    plugin: Plugins = None,
    data_dir: DataDir = None,
    store: StoreOption = None,
    device: OneDevice = "auto",
    quiet: Quiet = False,
) -> None:
    """Make what a task's methods share: base model with posterior, the retrained model, the judge.

    Training is kept every half minute and goes on from there when it was cut off. On several GPUs:

      torchrun --nproc_per_node 4 -m vdu_bench prepare --task cifar10_ship_trained
    """
    from vdu_bench.engine.device import set_device
    from vdu_bench.engine.prepare import import_prepared, prepare_tasks
    from vdu_bench.engine.progress import Progress

    load_plugins(plugin)
    task_settings = settings_of_task(settings, settings_file)
    # Of several processes one speaks.
    progress = Progress(quiet or rank() > 0)
    tasks = tasks_named(task, [task_settings])
    place, where = store_at(store, progress), data_dir_at(data_dir)
    if import_ is not None:
        if rebuild:
            raise UserError("--import and --rebuild exclude each other: what is imported would be trained again")
        import_prepared(import_, place)
    artifacts = prepare_tasks(tasks, place, set_device(device), progress, rebuild, export, where)
    for name, artifact in artifacts.items():
        typer.echo(f"{name:24} {artifact.digest[:12]}  {artifact.folder}")


@app.command("list")
def list_(
    kind: Annotated[Kind, typer.Argument(help="What to list.")],
    plugin: Plugins = None,
    format: Format = "text",
) -> None:
    """List tasks, methods, probes, metrics or sources of data, with a line about each."""
    from vdu_bench.reports.listings import listing, print_listing

    load_plugins(plugin)
    rows = listing(kind)
    if format == "json":
        typer.echo(json.dumps(rows, indent=1))
    else:
        print_listing(kind, rows)


@app.command()
def show(
    name: Annotated[
        str,
        typer.Argument(
            autocompletion=complete_names,
            help="A task or a task file (./mine.yaml), a method, a probe, a metric or a source of data.",
        ),
    ],
    plugin: Plugins = None,
    format: Annotated[
        Literal["text", "json", "yaml"],
        typer.Option(help="text for people, json for programs; yaml, of a task, is a task file to start from."),
    ] = "text",
) -> None:
    """Everything about one task, method, probe, metric or source: settings with defaults, formula, source, needs.

    Examples:

      vdu-bench show vdu

      vdu-bench show digits_1 --format yaml > mine.yaml
    """
    from vdu_bench.reports.listings import description, print_description, task_file

    load_plugins(plugin)
    if format == "yaml":
        typer.echo(task_file(name), nl=False)
    elif format == "json":
        typer.echo(json.dumps(description(name), indent=1))
    else:
        print_description(description(name))


app.add_typer(sweeping)
app.add_typer(tuning)
app.add_typer(results)
app.add_typer(paging)
app.add_typer(comparing)
app.add_typer(creating)
app.add_typer(exporting)
app.add_typer(storing, name="store")
join_paragraphs(app)
expand_home(app)


def _is_typer_s(error: SystemExit) -> bool:
    """Whether it is typer that ended the process, as it does when it has answered a shell that completes a word."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    module = "" if trace is None else trace.tb_frame.f_globals.get("__name__", "")
    return module.partition(".")[0] in ("typer", "click") and not isinstance(error.__context__, BrokenPipeError)


def main() -> None:
    """Run the command line; exit with 2 and one line for input that cannot be used, with 130 after Ctrl-C."""
    make_output_plain()
    try:
        # Not standalone, so that the errors below come here; typer then returns the status of its Exit.
        status = app(without_debug(sys.argv[1:]), prog_name="vdu-bench", standalone_mode=False) or 0
    except USAGE_ERROR as error:
        reword(error)
        if (file := blamed(error)) is not None:
            typer.echo(f"vdu-bench: {file}: {printable(error.format_message())}", err=True)
        else:
            error.show()
        status = 2
    except UserError as error:
        if debugging():
            traceback.print_exception(error)
        typer.echo(f"vdu-bench: {printable_line(error)}", err=True)
        status = 2
    except SystemExit as error:
        # Nothing of the suite ends the process in the middle of a command: it was a plug-in, or a library under it.
        # typer and rich do so where who reads the output has gone: no fault of anybody's, and nothing can be said.
        if _is_typer_s(error):
            status = error.code if isinstance(error.code, int) else 0
        else:
            if not isinstance(error.__context__, BrokenPipeError):
                typer.echo(f"vdu-bench: code that is not the suite's ended the command by exit({error.code})", err=True)
            status = 1
    except BrokenPipeError:
        # Who reads the output has gone; nothing can be said to them, and what was written to files stays.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    except OSError as error:
        # Of a file that was to take another's name, that name.
        file = error.filename2 or error.filename
        if error.errno in FULL:
            typer.echo(f"vdu-bench: cannot write {file or 'a file'}: {error.strerror}; {MEND}", err=True)
        elif error.errno in CLOSED and file:
            if debugging():
                traceback.print_exception(error)
            typer.echo(f"vdu-bench: no access to {file}: {error.strerror}; {WHY_CLOSED}", err=True)
        else:
            raise
        status = 2
    except (KeyboardInterrupt, typer.Abort):  # older typers let Ctrl-C through, newer ones make it an Exit
        status = INTERRUPTED
    if status == INTERRUPTED:
        typer.echo("\nvdu-bench: stopped; the same command goes on from here", err=True)
    sys.exit(status)
