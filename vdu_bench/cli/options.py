"""The options that commands share, and what their text stands for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vdu_bench.cli.completion import complete_tasks
from vdu_bench.errors import UserError, did_you_mean
from vdu_bench.launch import launched
from vdu_bench.methods.regime import REGIMES, Regime

if TYPE_CHECKING:
    from vdu_bench.engine.executors import Executor

Tasks = Annotated[
    str,
    typer.Option(
        "--task",
        "-t",
        autocompletion=complete_tasks,
        help="Task names with commas between, or a task file (./mine.yaml).",
    ),
]
Plugins = Annotated[
    list[Path] | None,
    typer.Option(
        "--plugin", help="A Python file that defines methods, metrics, probes or data sources; may be repeated."
    ),
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
        "--set",
        help="A setting, METHOD.NAME=VALUE or task.NAME=VALUE, such as vdu.gamma=0.3; may be repeated. Values with "
        "commas between, 0.1,0.3, are variants, run one by one; a list in brackets or text in quotes is one value.",
    ),
]
SettingsFile = Annotated[
    Path | None, typer.Option("--settings", help="The same from a YAML file: {vdu: {gamma: 0.3}, task: {...}}.")
]
TaskSettings = Annotated[
    list[str] | None, typer.Option("--set", help="A setting of the task, task.NAME=VALUE; may be repeated.")
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        envvar="VDU_BENCH_DATA",
        help="Where MNIST, Fashion-MNIST, CIFAR-10, tinyImageNet and CelebA lie, in their official formats or as "
        "parquet; without it, from the Hugging Face hub.",
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N; with --jobs several, cuda:0,cuda:1.")]
OneDevice = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only results and errors.")]
ReferenceOption = Annotated[Path, typer.Option("--reference", help="The folder of the blessed records.")]
NewRecords = Annotated[Path, typer.Option("--records", help="The folder of the new records, as from run --out.")]
Tolerances = Annotated[
    list[str] | None,
    typer.Option(
        "--tolerance",
        help="A loss that does not count, METRIC=NUMBER in the metric's own unit or METRIC=NUMBER% of the "
        "reference's value, such as pul=5 or fd_judge=5%; may be repeated.",
    ),
]
Seeds = Annotated[str, typer.Option(help="Seeds, such as 0-4 or 0-2,7; each is a cell of its own.")]
Everything = Annotated[
    bool, typer.Option("--all", help="Print all columns of the leaderboard, and not the most important ones alone.")
]
Samples = Annotated[int | None, typer.Option(help="Images a cell; the task's own number if not given.")]
Out = Annotated[Path, typer.Option(help="Folder for records, leaderboards and plots.")]
Name = Annotated[
    str | None,
    typer.Option(
        help="What the rows of methods are called in place of their settings: METHOD[NAME]; without variants."
    ),
]
Jobs = Annotated[
    int,
    typer.Option("--jobs", "-j", min=1, help="Cells at a time on this machine, each in a process of one thread."),
]
Attacks = Annotated[
    str | None,
    typer.Option(
        help="Attacks that models are put under, with commas between, or all, or none: what comes back when somebody "
        "tries (list probes). Unless given, the task's own; what the records in OUT have is kept."
    ),
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Make the cells again, even those that are done.")]


MOST_SEEDS = 10_000
"""Of one command: each is a cell of its own, and nobody runs as many."""


def load_plugins(files: list[Path] | None) -> None:
    """Register what plug-in files define."""
    if files:
        from vdu_bench.engine.plugins import load_plugin

        for file in files:
            load_plugin(file)


def tasks_named(names: str, variants: list[dict[str, Any]]) -> list[Any]:
    """The tasks of --task, each with some keys changed in one way or several. Raises UserError for an unknown one."""
    from vdu_bench.tasks.loading import find_task, with_overrides

    # A file's own name may have a comma in it.
    one_file = os.path.isfile(os.path.expanduser(names))
    found = [find_task(name) for name in ([names] if one_file else names_in(names, "--task"))]
    return [with_overrides(task, overrides) for task in found for overrides in variants]


def the_task(name: str, assignments: list[str] | None, samples: int | None) -> Any:
    """The one task of --task, changed by --set and --samples. Raises UserError for more, or settings of a method."""
    if samples is not None:
        settings_in(assignments, None, samples)
    task = settings_of_task(assignments, None)
    found = tasks_named(name, [task if samples is None else {**task, "samples": samples}])
    if len(found) != 1:
        raise UserError(f"--task {name!r}: a checkpoint is judged by one task at a time")
    return found[0]


def names_in(text: str, option: str, what: str = "name") -> list[str]:
    """What stands with commas between. Raises UserError, naming the option, for an empty or a doubled one."""
    names = [name.strip() for name in text.split(",")]
    if not any(names):
        raise UserError(f"{option} {text!r}: no {what} is given")
    if not all(names):
        raise UserError(f"{option} {text!r}: a {what} is empty; give {what}s with commas between")
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise UserError(f"{option} names {doubled[0]!r} twice")
    return names


def seeds_in(text: str) -> list[int]:
    """The whole numbers of --seeds, ``0-4`` those from 0 to 4. Raises UserError for anything else."""
    seeds: list[int] = []
    for word in names_in(text, "--seeds", "seed"):
        first, dash, last = word.partition("-")
        if len(word) > 40 or not first.isdecimal() or (dash and not last.isdecimal()):
            raise UserError(f"--seeds {text!r}: {word!r} is not a whole number from 0 up, nor a range such as 0-4")
        found = range(int(first), int(last or first) + 1)
        if not found:
            raise UserError(f"--seeds {text!r}: {word} ends before it begins")
        if found[-1] - found[0] + len(seeds) >= MOST_SEEDS:
            raise UserError(f"--seeds {text!r}: more than {MOST_SEEDS:,} seeds; run fewer at a time")
        seeds += found
    if doubled := sorted({seed for seed in seeds if seeds.count(seed) > 1}):
        raise UserError(f"--seeds names {doubled[0]} twice")
    return seeds


def regimes_in(text: str) -> list[Regime]:
    """The data regimes of --regime. Raises UserError for an unknown one."""
    names = names_in(text, "--regime")
    if wrong := [name for name in names if name not in REGIMES]:
        raise UserError(f"--regime {text!r}: there is no regime {wrong[0]!r}{did_you_mean(wrong[0], REGIMES)}")
    return [regime for name in names for regime in REGIMES if regime == name]


Variants = list[dict[str, Any]]


def settings_in(
    assignments: list[str] | None,
    file: Path | None,
    samples: int | None = None,
    inline: dict[str, Any] | None = None,
) -> tuple[dict[str, Variants], Variants]:
    """What --set, --settings and --samples say: the variants of methods by name, and those of the task.

    `inline` is what a configuration says in place of a settings file. Raises UserError for fewer than two samples, too.
    """
    from vdu_bench.tasks.settings import read_settings

    if samples is not None and samples < 2:
        raise UserError(f"--samples {samples}: at least 2 samples are needed for any interval")
    if samples is not None and any(one.partition("=")[0].strip() == "task.samples" for one in assignments or []):
        raise UserError("--samples and --set task.samples say the same; give one of them")
    settings = read_settings(assignments or [], file, inline)
    task = settings.pop("task", [{}])
    return settings, task if samples is None else [{**own, "samples": samples} for own in task]


def settings_of_task(assignments: list[str] | None, file: Path | None) -> dict[str, Any]:
    """What they say of the task. Raises UserError for settings of a method, where none is run, and for variants."""
    methods, task = settings_in(assignments, file)
    if methods:
        raise UserError(f"--set {next(iter(methods))}.…: no method is run here; use task.NAME=VALUE")
    if len(task) > 1:
        raise UserError("--set task.…: values with commas between are variants, and this takes one; quote a comma")
    return task[0]


def require_alone() -> None:
    """Raise UserError where several processes were launched."""
    if launched() > 1:
        raise UserError(
            "torchrun and accelerate launch are for vdu-bench prepare, whose training several processes share; this "
            "takes one process (and vdu-bench run has --dask for many machines)"
        )


def require_words(**options: str | None) -> None:
    """Raise UserError for an option that was given and says nothing."""
    for name, text in options.items():
        if text is not None and not text.strip():
            raise UserError(f"--{name} {text!r} is empty; leave it out, or say what it is")


def data_dir_at(folder: Path | None) -> Path | None:
    """The folder of --data-dir as an absolute path."""
    return folder.absolute() if folder is not None else None


def executor_of(
    jobs: int, dask: str | None, store: Any, progress: Any, fresh: bool, plugins: list[Path] | None
) -> Executor:
    """Where cells run: this process, --jobs of it, or the cluster of --dask. Raises UserError for both of them."""
    from vdu_bench.engine.cluster import DaskExecutor, JobsExecutor
    from vdu_bench.engine.executors import LocalExecutor

    if dask and jobs > 1:
        raise UserError("--jobs and --dask exclude each other: a cluster has as many workers as it has")
    if dask:
        return DaskExecutor(dask, store, progress, fresh, plugins or [])
    if jobs > 1:
        return JobsExecutor(jobs, store, progress, fresh, plugins or [])
    return LocalExecutor(store, progress, fresh)


def publish_run(
    records: list[Any], out: Path, store: Any, progress: Any, task: str | None = None, everything: bool = False
) -> None:
    """Write tables and plots of a run, and print its leaderboard: the most important columns, or everything."""
    from vdu_bench.engine.grids import first_samples, samples_digest
    from vdu_bench.reports.publish import publish
    from vdu_bench.writing import writing_to

    with writing_to(out, "--out"):
        publish(
            records,
            out,
            lambda: first_samples(records, store, progress.say),
            samples_digest(records, store),
            progress.say,
            task,
            everything,
        )


def store_at(folder: Path | None, progress: Any) -> Any:
    """The store of --store, or the user's own, with what ships in the package. Raises UserError where there is none."""
    from vdu_bench.api.place import store_at as at

    return at(folder, progress.say)
