"""Running, judging and sweeping from Python: the commands of the same names, which give their results back."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vdu_bench.api.given import (
    Settings,
    TaskLike,
    check_jobs,
    load_plugins,
    the_attacks,
    the_methods,
    the_regimes,
    the_seeds,
    the_tasks,
    the_values,
    the_variants,
)
from vdu_bench.api.place import expanded, store_at
from vdu_bench.api.results import Results
from vdu_bench.engine.attacks import under_attack
from vdu_bench.engine.cells import Cell, expand
from vdu_bench.engine.cluster import JobsExecutor
from vdu_bench.engine.evaluate import check_name, evaluate_cells, evaluation_cells
from vdu_bench.engine.executors import Executor, LocalExecutor
from vdu_bench.engine.progress import Progress
from vdu_bench.engine.regimes import expand_regimes
from vdu_bench.engine.run import run_cells
from vdu_bench.engine.sweep import sweep_variants, swept_on, swept_settings
from vdu_bench.errors import UserError
from vdu_bench.methods.catalog import METHODS
from vdu_bench.methods.regime import Regime
from vdu_bench.records import read_records
from vdu_bench.reports.comparable import check_comparable
from vdu_bench.writing import writing_to

if TYPE_CHECKING:
    from vdu_bench.api.given import MethodLike


def run(
    task: TaskLike | Sequence[TaskLike],
    methods: MethodLike | Sequence[MethodLike] = "all",
    seeds: int | Sequence[int] = (0,),
    *,
    settings: Settings | None = None,
    samples: int | None = None,
    attacks: str | Sequence[str] | None = None,
    regime: str | Sequence[str] = "full",
    name: str = "",
    out: str | Path | None = None,
    store: str | Path | None = None,
    data_dir: str | Path | None = None,
    device: str = "auto",
    jobs: int = 1,
    fresh: bool = False,
    plugins: str | Path | Sequence[str | Path] = (),
    quiet: bool = False,
) -> Results:
    """Unlearn, sample, measure: the records of each task x method x seed. What is done already is reused.

    `original`, `retrain` and `real` are added to every task. A cell that fails does not stop the others:
    `Results.failed` names it.

    Args:
        task: one or several.
        methods: names, classes, or methods with their settings (``VDU(gamma=0.3)``), one or several; ``all``.
        seeds: a cell for each.
        settings: by method, its settings, or a list of them, which are variants; under ``task``, those of the task:
            ``{"vdu": {"gamma": 0.3}, "task": {"forget_images": 25}}``.
        samples: images a cell; the task's own number if not given.
        attacks: what each model is put under besides (``vdu-bench list probes``), one or several; ``all`` that its kind
            can be put under, ``none``, or None for the task's own and those that records in `out` have already.
        regime: which training data methods may see: ``forget_only``, ``forget_and_retain``, ``full``, or several.
        name: what the rows of methods are called in place of their settings.
        out: where records are written to as well, as ``vdu-bench run --out`` writes them; None: nowhere.
        store: where stages are kept; None for ``VDU_BENCH_STORE`` or the user's cache folder.
        data_dir: where data sets lie that come from outside the package.
        device: auto, cpu, cuda or cuda:N.
        jobs: cells at a time, each in a process of one thread. More than one in a script need the usual
            ``if __name__ == "__main__":`` around it.
        fresh: make the cells again, even those that are done.
        plugins: Python files that define methods, probes, metrics or data sources.
        quiet: no progress.

    Raises:
        UserError: something is unknown or cannot be used, as the command line says it.
    """
    files = load_plugins(plugins)
    check_jobs(jobs)
    names, own = the_methods(methods)
    chosen, of_task = the_variants(settings, own, samples)
    regimes = the_regimes(regime)
    tasks = under_attack(the_tasks(task, of_task), the_attacks(attacks), _out(out))
    cells, left_out = expand_regimes(tasks, names, the_seeds(seeds), regimes, chosen, device, _place(data_dir), name)
    progress = Progress(quiet)
    for line in left_out:
        progress.say(line)
    return _run(cells, progress, out, store, jobs, fresh, files)


def sweep(
    task: TaskLike | Sequence[TaskLike],
    methods: MethodLike | Sequence[MethodLike],
    over: str | None = None,
    values: Sequence[Any] | None = None,
    seeds: int | Sequence[int] = (0,),
    *,
    settings: Settings | None = None,
    samples: int | None = None,
    regime: Regime = "full",
    out: str | Path | None = None,
    store: str | Path | None = None,
    data_dir: str | Path | None = None,
    device: str = "auto",
    jobs: int = 1,
    fresh: bool = False,
    plugins: str | Path | Sequence[str | Path] = (),
    quiet: bool = False,
) -> Results:
    """Run several values of one setting of each method; ``.plot("sweep")`` draws them as a curve.

    Args:
        task: as `run`, like the rest.
        methods: as `run`; ``all`` that have such a setting.
        over: the setting; None for the strength that each method declares, such as steps.
        values: of it; None for 1/4, 1/2, 1, 2 and 4 times the task's own.

    Raises:
        UserError: as `run`; a method has no such setting, or none that a grid goes around.
    """
    files = load_plugins(plugins)
    check_jobs(jobs)
    names, own = the_methods(methods)
    bound, *others = the_regimes(regime)
    if others:
        raise UserError(f"regime names {1 + len(others)}, and a sweep has one: give one of them")
    chosen, of_task = the_variants(settings, own, samples)
    swept, gone_over = swept_settings(names, over), the_values(values)
    cells: list[Cell] = []
    for one in under_attack(the_tasks(task, of_task), None, _out(out)):
        here = swept_on(one, swept, names, bound)
        variants = sweep_variants(one, here, gone_over, chosen)
        cells += expand([one], list(here), the_seeds(seeds), bound, variants, device, _place(data_dir))[0]
    return _run(cells, Progress(quiet), out, store, jobs, fresh, files)


def evaluate(
    task: TaskLike,
    checkpoint: Any,
    name: str | None = None,
    seeds: int | Sequence[int] = (0,),
    *,
    unlearning_seconds: float | None = None,
    settings: Mapping[str, Any] | None = None,
    samples: int | None = None,
    attacks: str | Sequence[str] | None = None,
    out: str | Path | None = None,
    store: str | Path | None = None,
    data_dir: str | Path | None = None,
    device: str = "auto",
    fresh: bool = False,
    plugins: str | Path | Sequence[str | Path] = (),
    quiet: bool = False,
) -> Results:
    """Judge a model that was unlearned elsewhere: its records, the original's, and what `out` has of this task.

    Args:
        task: what it is judged by.
        checkpoint: a folder, a file or a hub id, as docs/checkpoints.md lists them; or a diffusers pipeline in memory,
            such as `vdu_bench.unlearn` gives, which needs a name.
        name: what it is called; made of the checkpoint's own name if not given.
        seeds: of the samples.
        unlearning_seconds: how long its unlearning took, if you know.
        settings: of the task, such as ``{"sampler": {"steps": 50}}``.
        samples, attacks, out, store, data_dir, device, fresh, plugins, quiet: as of `run`.

    Raises:
        UserError: it cannot be read or does not fit, or would not compare with what `out` has.
    """
    load_plugins(plugins)
    _, of_task = the_variants({"task": {} if settings is None else settings}, {}, samples)
    judged_by, *others = under_attack(the_tasks(task, of_task), the_attacks(attacks), _out(out))
    if others:
        raise UserError("task: a checkpoint is judged by one task at a time, unchanged or changed in one way")
    progress = Progress(quiet)
    with _folder(out) as place, _on_disk(checkpoint, name) as source:
        cells = evaluation_cells(
            judged_by, source, the_seeds(seeds), device, place, name, unlearning_seconds, _place(data_dir)
        )
        evaluate_cells(cells, store_at(store, progress.say), place, progress, check_comparable, fresh)
        variant = cells[-1].variant
        return Results((record for record in read_records(place) if record.variant == variant), store)


def _run(
    cells: Sequence[Cell],
    progress: Progress,
    out: str | Path | None,
    store: str | Path | None,
    jobs: int,
    fresh: bool,
    plugins: Sequence[Path],
) -> Results:
    place = store_at(store, progress.say)
    executor: Executor = LocalExecutor(place, progress, fresh)
    if jobs > 1:
        _check_found_again(cells, plugins)
        executor = JobsExecutor(jobs, place, progress, fresh, plugins)
    with _folder(out) as folder:
        outcome = run_cells(cells, place, folder, progress, executor, fresh)
    return Results(outcome.records, store)


def _check_found_again(cells: Sequence[Cell], plugins: Sequence[Path]) -> None:
    """Raise UserError for a class that other processes do not have."""
    there = {file.resolve() for file in plugins}
    for entry in (METHODS.entry(cell.method) for cell in cells if cell.external is None):
        if entry.file is not None and entry.file.resolve() not in there:
            raise UserError(
                f"jobs: other processes do not know {entry.name}; give plugins=[{str(entry.file)!r}], or jobs=1"
            )


def _place(folder: str | Path | None) -> Path | None:
    return None if folder is None else Path(expanded(folder)).absolute()


def _out(folder: str | Path | None) -> Path | None:
    return None if folder is None else Path(expanded(folder))


@contextmanager
def _folder(out: str | Path | None) -> Iterator[Path]:
    """The folder for records; a temporary one where none was named."""
    if (named := _out(out)) is not None:
        yield named
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@contextmanager
def _on_disk(checkpoint: Any, name: str | None) -> Iterator[str]:
    """Where a checkpoint lies; a pipeline in memory is saved to a temporary folder."""
    if isinstance(checkpoint, str | Path):
        yield expanded(checkpoint)
        return
    if not hasattr(checkpoint, "save_pretrained"):
        raise UserError(
            f"checkpoint: give a folder, a file, a hub id or a pipeline, and no {type(checkpoint).__name__}"
        )
    if name is None:
        raise UserError("a pipeline in memory has no name of its own: give one by name=...")
    check_name(name)
    with tempfile.TemporaryDirectory() as folder:
        with writing_to(Path(folder), "the temporary folder (TMPDIR names another)"):
            checkpoint.save_pretrained(Path(folder) / name, safe_serialization=True)
        yield str(Path(folder) / name)
