"""The command that searches for methods' settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from vdu_bench.cli.options import (
    DataDir,
    Device,
    Plugins,
    Quiet,
    StoreOption,
    Tasks,
    data_dir_at,
    load_plugins,
    names_in,
    require_alone,
    settings_of_task,
    store_at,
    tasks_named,
)
from vdu_bench.errors import UserError
from vdu_bench.plain_json import printable_line

tuning = typer.Typer()


@tuning.command()
def tune(
    task: Tasks,
    methods: Annotated[
        str, typer.Option("--methods", "-m", help="Method names with commas between, or all that declare a search.")
    ],
    trials: Annotated[
        int | None,
        typer.Option(min=1, help="Settings that are tried of each method; the task's own number if not given."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="A setting of the task, such as task.tuning.samples=500; may be repeated."),
    ] = None,
    plugin: Plugins = None,
    data_dir: DataDir = None,
    device: Device = "auto",
    out: Annotated[Path, typer.Option(help="Folder for journals, settings, tables and plots.")] = Path("results/tuned"),
    store: StoreOption = None,
    jobs: Annotated[
        int,
        typer.Option(
            "--jobs",
            "-j",
            min=1,
            help="Methods at a time, each in a process of one thread; trials of one method follow each other.",
        ),
    ] = 1,
    quiet: Quiet = False,
) -> None:
    """Search for the settings of methods, each with the same budget: the most forgetting within the quality limit.

    Optuna's TPE goes over what each method's Settings declare as [bold]search[/bold]. Trials run on seed 100, and for a
    model with prompts on those for tuning: nothing that a result uses. A trial beyond the task's quality limit, or with
    more evaluations than allowed, counts less than any within; the best trials run again on seeds 101 to 103, and the
    best mean whose runs all keep the limit is chosen. The numbers stand under [bold]tuning[/bold] in the task
    (vdu-bench show digits_1).

    OUT/TASK has for each method the journal, by which the same command goes on where it was stopped, its trials (.csv,
    .png), what was chosen (.json), and settings files, METHOD.yaml and settings.yaml with all methods. Records of a run
    with one of these say tuned, and what the search took.

    Examples:

      vdu-bench tune --task digits_1 --methods vdu,esd,finetune --jobs 2

      vdu-bench tune --task digits_1 --methods vdu --trials 5 --set task.tuning.finalists=2 --out quick

      vdu-bench run --task digits_1,digits_8 --methods vdu --settings results/tuned/digits_1/vdu.yaml --name tuned
    """
    from vdu_bench.engine.progress import Progress
    from vdu_bench.tuning.jobs import Search, methods_to_tune, run_searches
    from vdu_bench.tuning.trials import Broken

    require_alone()
    load_plugins(plugin)
    progress = Progress(quiet)
    where = data_dir_at(data_dir)
    searches = []
    tasks = tasks_named(task, [settings_of_task(settings, None)])
    names = [one.name for one in tasks]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise UserError(
            f"two tasks are called {doubled[0]}: give one of them another `name:`, which its searches go by"
        )
    for one in tasks:
        one.for_tuning()  # before anything is run: it tells a task that cannot be tuned on
        for method in methods_to_tune(one, names_in(methods, "--methods"), progress.say):
            searches.append(Search(one, method, trials or one.tuning.trials, device, where, out))
    failed = []
    for search, found in run_searches(searches, jobs, store_at(store, progress), progress, plugin or []):
        if isinstance(found, Broken):
            failed.append(search.name)
            typer.echo(
                f"vdu-bench: {printable_line(found)}; once that is mended, the same command goes on from here", err=True
            )
        else:
            _print(search.name, found, out)
    if failed:
        raise typer.Exit(1)


def _print(name: str, found: Any, out: Path) -> None:
    typer.echo(f"{name}: {len(found.trials)} trials, {found.evaluations:,} evaluations")
    if (chosen := found.chosen) is not None:
        settings = ", ".join(f"{key}={value}" for key, value in chosen.trial.settings.items())
        distance = f", {found.distance} {chosen.distance:.3g}" if found.distance else ""
        typer.echo(f"  {found.objective} {chosen.objective:.1f}{distance}: {settings}")
        typer.echo(f"  {out / found.task.name / found.method}.yaml")
    if found.remark:
        typer.echo(f"  {printable_line(found.remark)}")
