"""The command that runs methods on tasks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from vdu_bench.cli.completion import complete_methods, complete_regimes
from vdu_bench.cli.config import Config, inline_settings
from vdu_bench.cli.options import (
    Attacks,
    DataDir,
    Device,
    Everything,
    Fresh,
    Jobs,
    Name,
    Out,
    Plugins,
    Quiet,
    Samples,
    Seeds,
    Settings,
    SettingsFile,
    StoreOption,
    Tasks,
    data_dir_at,
    executor_of,
    load_plugins,
    names_in,
    publish_run,
    regimes_in,
    require_alone,
    require_words,
    seeds_in,
    settings_in,
    store_at,
    tasks_named,
)
from vdu_bench.fetching import nothing_fetched


def run(
    context: typer.Context,
    task: Tasks,
    methods: Annotated[
        str,
        typer.Option(
            "--methods", "-m", autocompletion=complete_methods, help="Method names with commas between, or all."
        ),
    ] = "all",
    seeds: Seeds = "0",
    samples: Samples = None,
    attacks: Attacks = None,
    regime: Annotated[
        str,
        typer.Option(
            autocompletion=complete_regimes,
            help="Which training data methods may see: forget_only, forget_and_retain (one for one) or full, which "
            "forbids nothing and counts everything; several with commas between.",
        ),
    ] = "full",
    settings: Settings = None,
    settings_file: SettingsFile = None,
    name: Name = None,
    plugin: Plugins = None,
    data_dir: DataDir = None,
    device: Device = "auto",
    out: Out = Path("results"),
    store: StoreOption = None,
    fresh: Fresh = False,
    jobs: Jobs = 1,
    dask: Annotated[
        str | None,
        typer.Option(help="Run cells on a Dask cluster: its scheduler's address or file. The store must be shared."),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Print the cells, what is done of them and what the others would take; run and fetch nothing.",
        ),
    ] = False,
    everything: Everything = False,
    config: Config = None,  # noqa: ARG001  (it was read before all others, and is their defaults)
    quiet: Quiet = False,
) -> None:
    """Unlearn, sample, measure: one record for each task x method x seed, and a leaderboard of them.

    [bold]original[/bold], [bold]retrain[/bold] and [bold]real[/bold] (held-out images) are added to every table. What
    is done already is reused; a run that was cut off goes on where it was. What is changed of a method or a task has
    rows and records of its own: the third example makes a row [bold]vdu\\[short][/bold], the fourth makes three,
    [bold]vdu\\[gamma=0.1][/bold] and so on.

    It ends with the most important columns of the leaderboard, and a warning for each method that destroyed the model.

    Examples:

      vdu-bench run --task digits_1 --methods vdu,esd

      vdu-bench run --task digits_1,digits_8 --methods all --seeds 0-4 --dry-run

      vdu-bench run --task digits_1 --methods vdu --set vdu.gamma=0.3 --set vdu.steps=60 --name short

      vdu-bench run --task digits_1 --methods vdu --set vdu.gamma=0.1,0.3,0.9

      vdu-bench run --task digits_1 --methods all --regime forget_only,full

      vdu-bench run --task ./mine.yaml --methods mine --plugin my_method.py

      vdu-bench run --task digits_1 --methods vdu,esd --attacks all

      vdu-bench run --config exp.yaml --seeds 0
    """
    from vdu_bench.cli.dry_run import expecting, print_dry_run
    from vdu_bench.engine.attacks import under_attack
    from vdu_bench.engine.cards import check_jobs, device_of
    from vdu_bench.engine.evaluate import external_beside
    from vdu_bench.engine.executors import LocalExecutor
    from vdu_bench.engine.few_samples import too_few
    from vdu_bench.engine.names import check_names
    from vdu_bench.engine.progress import Progress
    from vdu_bench.engine.regimes import expand_regimes
    from vdu_bench.engine.run import finished, run_cells
    from vdu_bench.files import require_place
    from vdu_bench.reports.comparable import check_comparable

    require_alone()
    require_words(name=name, dask=dask)
    load_plugins(plugin)
    if dry_run:
        context.with_resource(nothing_fetched())
    inline = inline_settings(context, settings_file)
    method_settings, task_settings = settings_in(settings, settings_file, samples, inline)
    named = None if attacks is None else names_in(attacks, "--attacks")
    tasks = under_attack(tasks_named(task, task_settings), named, out)
    cells, left_out = expand_regimes(
        tasks,
        names_in(methods, "--methods"),
        seeds_in(seeds),
        regimes_in(regime),
        method_settings,
        device,
        data_dir_at(data_dir),
        name or "",
    )
    progress = Progress(quiet)
    place = store_at(store, progress)
    for line in [f"store: {place.root}; results: {out}", *left_out, *too_few(tasks)]:
        progress.say(line)
    expected = expecting(out, place, jobs)
    executor = executor_of(jobs, dask, place, progress, fresh, plugin)
    if dry_run:
        done = finished(cells, place, fresh)
        missing = [cell for cell in cells if cell.name not in done]
        check_names(cells, out, done, place)
        require_place(out, "--out")
        fetched = []
        if missing:
            require_place(place.root, "--store")
            if dask is None:
                check_jobs(device, jobs)
            executor.check_devices(missing)
            # Here and on one device, whoever would run them: no worker is started for it.
            here = [replace(cell, device=device_of(device, 0)) for cell in missing]
            fetched = LocalExecutor(place, progress).to_fetch(here)
        print_dry_run(cells, list(done), expected(missing), [*fetched, f"store: {place.root}; results: {out}"])
        return
    outcome = run_cells(cells, place, out, progress, executor, fresh, expected=expected)
    others = external_beside(outcome.records, out, check_comparable, progress.say)
    publish_run([*outcome.records, *others], out, place, progress, everything=everything)
    if outcome.failed:
        raise typer.Exit(1)
