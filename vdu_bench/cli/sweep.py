"""The command that draws a method's whole curve in place of one point of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vdu_bench.cli.options import (
    DataDir,
    Device,
    Fresh,
    Jobs,
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
    require_alone,
    require_words,
    seeds_in,
    settings_in,
    store_at,
    tasks_named,
)
from vdu_bench.methods.regime import Regime

sweeping = typer.Typer()


@sweeping.command()
def sweep(
    task: Tasks,
    methods: Annotated[str, typer.Option("--methods", "-m", help="Method names with commas between, or all.")],
    over: Annotated[
        str | None,
        typer.Option(help="The setting to go over. Default: the strength that each method declares, such as steps."),
    ] = None,
    values: Annotated[
        str | None,
        typer.Option(help="Its values with commas between. Default: 1/4, 1/2, 1, 2 and 4 times the task's own."),
    ] = None,
    seeds: Seeds = "0",
    samples: Samples = None,
    regime: Annotated[Regime, typer.Option(help="Which training data methods may see.")] = "full",
    settings: Settings = None,
    settings_file: SettingsFile = None,
    plugin: Plugins = None,
    data_dir: DataDir = None,
    device: Device = "auto",
    out: Out = Path("results"),
    store: StoreOption = None,
    fresh: Fresh = False,
    jobs: Jobs = 1,
    quiet: Quiet = False,
) -> None:
    """Run several strengths of each method, and draw forgetting against distance as a curve for each.

    One run of a method is a point on a curve that nobody chose: a method that forgets more at its defaults may be
    another one run for longer. Each value is a run of its own, kept as [bold]run[/bold] keeps it, so that a sweep that
    was cut off goes on where it was. Records go to OUT, the curve to OUT/plots as .png, .pdf and .csv. Points that
    took equally many evaluations of the denoiser are joined. Attacks that OUT's records of the task have, each point
    is put under, too: to draw a curve without them, name another OUT.

    Examples:

      vdu-bench sweep --task digits_1 --methods vdu,esd --seeds 0,1,2

      vdu-bench sweep --task digits_1 --methods vdu --over gamma --values 0,0.1,0.5,0.9

      vdu-bench sweep --task digits_1 --methods vdu --set vdu.gamma=0.1,0.9 --values 10,40,160
    """
    from vdu_bench.engine.attacks import under_attack
    from vdu_bench.engine.cells import expand
    from vdu_bench.engine.progress import Progress
    from vdu_bench.engine.run import run_cells
    from vdu_bench.engine.sweep import sweep_variants, swept_on, swept_settings
    from vdu_bench.reports.frontier import frontiers, print_frontier
    from vdu_bench.reports.report import write_frontier
    from vdu_bench.reports.screen import screen
    from vdu_bench.tasks.settings import values_in
    from vdu_bench.writing import writing_to

    require_alone()
    require_words(over=over)
    load_plugins(plugin)
    names = names_in(methods, "--methods")
    method_settings, task_settings = settings_in(settings, settings_file, samples)
    swept = swept_settings(names, over)
    chosen = None if values is None else values_in(values, f"--values {values!r}")
    cells = []
    for one in under_attack(tasks_named(task, task_settings), None, out):
        own = swept_on(one, swept, names, regime)
        variants = sweep_variants(one, own, chosen, method_settings)
        cells += expand([one], list(own), seeds_in(seeds), regime, variants, device, data_dir_at(data_dir))[0]
    progress = Progress(quiet)
    place = store_at(store, progress)
    outcome = run_cells(cells, place, out, progress, executor_of(jobs, None, place, progress, fresh, plugin), fresh)
    for frontier in frontiers(outcome.records, swept):
        print_frontier(frontier, screen())
        with writing_to(out, "--out"):
            written = write_frontier(frontier, out / "plots")
        for file in written:
            typer.echo(str(file))
    if outcome.failed:
        raise typer.Exit(1)
