"""Running, judging and sweeping from Python: the commands of the same names, which give their results back."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vdu_bench.api.named_methods import registered
from vdu_bench.api.place import store_at
from vdu_bench.api.results import Results
from vdu_bench.engine.attacks import under_attack
from vdu_bench.engine.cells import ALL, Cell, check_all_alone, expand
from vdu_bench.engine.cluster import JobsExecutor
from vdu_bench.engine.evaluate import evaluate_cells, evaluation_cells
from vdu_bench.engine.executors import Executor, LocalExecutor
from vdu_bench.engine.plugins import load_plugin
from vdu_bench.engine.progress import Progress
from vdu_bench.engine.regimes import expand_regimes
from vdu_bench.engine.run import run_cells
from vdu_bench.engine.sweep import sweep_variants, swept_on, swept_settings
from vdu_bench.errors import UserError, did_you_mean
from vdu_bench.methods.catalog import METHODS
from vdu_bench.methods.regime import REGIMES, Regime
from vdu_bench.methods.settings import Configured
from vdu_bench.records import read_records
from vdu_bench.reports.comparable import check_comparable
from vdu_bench.tasks.loading import find_task, with_overrides
from vdu_bench.tasks.task import Task

if TYPE_CHECKING:
    from vdu_bench.methods.method import Method

    MethodLike = str | type[Method] | Method

TaskLike = str | Path | Task
"""A task's name, a task file, or a task."""
Settings = Mapping[str, Mapping[str, Any] | Sequence[Mapping[str, Any]]]
"""By method, its settings, or several of them, which are variants; under ``task``, those of the task."""
Variants = dict[str, list[dict[str, Any]]]


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
    plugins: Sequence[str | Path] = (),
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
    _load_plugins(plugins)
    names, own = _methods(methods)
    chosen, of_task = _variants(settings, own, samples)
    regimes = _regimes(regime)
    tasks = under_attack(_tasks(task, of_task), _attacks(attacks), None if out is None else Path(out))
    cells, left_out = expand_regimes(tasks, names, _several(seeds), regimes, chosen, device, _place(data_dir), name)
    progress = Progress(quiet)
    for line in left_out:
        progress.say(line)
    return _run(cells, progress, out, store, jobs, fresh, plugins)


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
    plugins: Sequence[str | Path] = (),
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
    _load_plugins(plugins)
    names, own = _methods(methods)
    _regimes(regime)
    chosen, of_task = _variants(settings, own, samples)
    swept = swept_settings(names, over)
    cells: list[Cell] = []
    for one in under_attack(_tasks(task, of_task), None, None if out is None else Path(out)):
        here = swept_on(one, swept, names, regime)
        variants = sweep_variants(one, here, values, chosen)
        cells += expand([one], list(here), _several(seeds), regime, variants, device, _place(data_dir))[0]
    return _run(cells, Progress(quiet), out, store, jobs, fresh, plugins)


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
    plugins: Sequence[str | Path] = (),
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
    _load_plugins(plugins)
    _check_samples([settings or {}], samples)
    changes = {**(settings or {}), **({} if samples is None else {"samples": samples})}
    (judged_by,) = under_attack(_tasks(task, [changes]), _attacks(attacks), None if out is None else Path(out))
    progress = Progress(quiet)
    with _folder(out) as place, _on_disk(checkpoint, name) as source:
        cells = evaluation_cells(
            judged_by, source, _several(seeds), device, place, name, unlearning_seconds, _place(data_dir)
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
    plugins: Sequence[str | Path],
) -> Results:
    place = store_at(store, progress.say)
    executor: Executor = LocalExecutor(place, progress, fresh)
    if jobs > 1:
        _check_found_again(cells, plugins)
        executor = JobsExecutor(jobs, place, progress, fresh, [Path(file) for file in plugins])
    with _folder(out) as folder:
        outcome = run_cells(cells, place, folder, progress, executor, fresh)
    return Results(outcome.records, store)


def _check_found_again(cells: Sequence[Cell], plugins: Sequence[str | Path]) -> None:
    """Raise UserError for a class that other processes do not have."""
    there = {Path(file).resolve() for file in plugins}
    for entry in (METHODS.entry(cell.method) for cell in cells if cell.external is None):
        if entry.file is not None and entry.file.resolve() not in there:
            raise UserError(
                f"jobs: other processes do not know {entry.name}; give plugins=[{str(entry.file)!r}], or jobs=1"
            )


def _load_plugins(plugins: Sequence[str | Path]) -> None:
    for file in plugins:
        load_plugin(Path(file))


def _tasks(given: TaskLike | Sequence[TaskLike], variants: Sequence[Mapping[str, Any]]) -> list[Task]:
    found = [given] if isinstance(given, str | Path | Task) else given
    tasks = [one if isinstance(one, Task) else find_task(str(one)) for one in found]
    return [with_overrides(task, own) for task in tasks for own in variants]


def _methods(given: MethodLike | Sequence[MethodLike]) -> tuple[list[str], Variants]:
    """Names, and the settings of those that came with some."""
    several = [given] if isinstance(given, str | type | Configured) else list(given)
    if any(one == ALL for one in several):
        check_all_alone(
            [one if isinstance(one, str) else getattr(one, "__name__", type(one).__name__) for one in several]
        )
        return [ALL], {}
    found: Variants = {}
    for one in several:
        name, settings = registered(one)
        variants = found.setdefault(name, [])
        if settings in variants:
            raise UserError(f"methods name {name} twice" + f" with {settings}" * bool(settings))
        variants.append(settings)
    # A name alone takes what settings={...} says; beside settings of its own it is a variant without any.
    return list(found), {name: variants for name, variants in found.items() if any(variants)}


def _variants(settings: Settings | None, own: Variants, samples: int | None) -> tuple[Variants, list[dict[str, Any]]]:
    """The variants of methods, and those of the task."""
    _check_keys(settings or {})
    given: Variants = {
        owner: [dict(found)] if isinstance(found, Mapping) else [dict(one) for one in found]
        for owner, found in (settings or {}).items()
    }
    of_task = given.pop("task", [{}])
    _check_samples(of_task, samples)
    if twice := sorted(set(given) & set(own)):
        raise UserError(f"{twice[0]} has settings in settings={{...}} and of its own: give one of them")
    return given | own, of_task if samples is None else [{**one, "samples": samples} for one in of_task]


def _check_keys(given: Any) -> None:
    """Raise UserError for a name of a setting that is no text, at any depth."""
    if isinstance(given, Mapping):
        for key, value in given.items():
            if not isinstance(key, str):
                raise UserError(f"settings: {key!r} is no name of a setting, which is text")
            _check_keys(value)
    elif isinstance(given, list | tuple):
        for value in given:
            _check_keys(value)


def _check_samples(of_task: Sequence[Mapping[str, Any]], samples: int | None) -> None:
    if samples is not None and any("samples" in one for one in of_task):
        raise UserError("samples=... and the task's settings say how many samples; give one of them")


def _regimes(given: str | Sequence[str]) -> list[Regime]:
    several = [given] if isinstance(given, str) else list(given)
    if len(set(several)) < len(several):
        raise UserError(f"regime names one twice: {', '.join(several)}")
    if wrong := [name for name in several if name not in REGIMES]:
        raise UserError(f"there is no regime {wrong[0]!r}{did_you_mean(wrong[0], REGIMES)}")
    return [regime for name in several for regime in REGIMES if regime == name]


def _attacks(given: str | Sequence[str] | None) -> list[str] | None:
    """Names of attacks; None for a task's own."""
    if given is None:
        return None
    if not given:
        raise UserError("attacks: name one or several; 'none' is without any, and None with the task's own")
    return [given] if isinstance(given, str) else list(given)


def _several(seeds: int | Sequence[int]) -> list[int]:
    found = [seeds] if isinstance(seeds, int) else list(seeds)
    if not found or any(not isinstance(seed, int) or seed < 0 for seed in found) or len(set(found)) < len(found):
        raise UserError(f"seeds {seeds!r}: give whole numbers from 0 up, each once")
    return found


def _place(folder: str | Path | None) -> Path | None:
    return None if folder is None else Path(folder).expanduser().absolute()


@contextmanager
def _folder(out: str | Path | None) -> Iterator[Path]:
    """The folder for records; one for the while where none was named."""
    if out is not None:
        yield Path(out)
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@contextmanager
def _on_disk(checkpoint: Any, name: str | None) -> Iterator[str]:
    """Where a checkpoint lies; a pipeline in memory is saved for the while."""
    if isinstance(checkpoint, str | Path):
        yield str(checkpoint)
        return
    if not hasattr(checkpoint, "save_pretrained"):
        raise UserError(
            f"a {type(checkpoint).__name__} is no checkpoint: give a folder, a file, a hub id or a pipeline"
        )
    if name is None:
        raise UserError("a pipeline in memory has no name of its own: give one by name=...")
    with tempfile.TemporaryDirectory() as folder:
        checkpoint.save_pretrained(Path(folder) / name, safe_serialization=True)
        yield str(Path(folder) / name)
