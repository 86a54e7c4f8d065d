"""The search for one method's settings on one task, from the first trial to what is chosen."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vdu_bench.engine.code import code_of_others
from vdu_bench.engine.progress import Progress
from vdu_bench.measured import Better
from vdu_bench.methods.catalog import METHODS
from vdu_bench.methods.search import Space
from vdu_bench.methods.settings import checked_settings
from vdu_bench.records import Record
from vdu_bench.seeds import derive_seed
from vdu_bench.spec import WHOLE, digest_of
from vdu_bench.tasks.task import UNMEASURED, Task
from vdu_bench.tuning.journal import Journal, Trial, opened
from vdu_bench.tuning.judging import Judged, distance_of, mean, objective_of
from vdu_bench.tuning.space import plain_space, search_space
from vdu_bench.tuning.trials import Trials


@dataclass(frozen=True)
class Finalist:
    """One of the best trials, run again."""

    trial: Trial
    runs: tuple[tuple[int, Judged], ...]
    """By seed."""

    @property
    def kept(self) -> bool:
        """Whether all its runs are within the limits."""
        return all(judged.kept for _, judged in self.runs)

    @property
    def beyond(self) -> float:
        """How far the worst of its runs is beyond a limit; inf where one diverged."""
        return max(judged.beyond for _, judged in self.runs)

    @property
    def objective(self) -> float:
        """The mean over its runs; NaN where one has none."""
        return mean(judged.objective for _, judged in self.runs)

    @property
    def distance(self) -> float:
        """The mean over its runs; NaN where one has none."""
        return mean(judged.distance for _, judged in self.runs)


@dataclass(frozen=True)
class Found:
    """What a search found."""

    task: Task
    method: str
    space: Space
    objective: str
    """The metric that was searched for."""
    better: Better
    distance: str
    """The metric of the distances; empty where the task has none."""
    original: Record
    """With the trials' seed."""
    trials: tuple[Trial, ...]
    finalists: tuple[Finalist, ...]
    chosen: Finalist | None
    """None where no finalist gave a number with each of its seeds."""

    @property
    def evaluations(self) -> int:
        """Forward evaluations of the denoiser while unlearning, in all trials and finalists' runs."""
        runs = [judged for finalist in self.finalists for _, judged in finalist.runs]
        return sum(judged.evaluations for judged in [*(trial.judged for trial in self.trials), *runs])

    @property
    def remark(self) -> str:
        """What whoever uses the settings has to know; empty where all is well."""
        if self.chosen is None:
            return "nothing is chosen, since no finalist gave a number with each of its seeds"
        if not self.chosen.kept:
            return "no finalist keeps the limits with each of its seeds: the one that is least beyond them is chosen"
        return ""


def tune(trials: Trials, count: int, file: Path, progress: Progress) -> Found:
    """Search, choose among the finalists, and say how it stands after each run.

    Args:
        trials: runs settings.
        count: how many trials; more in the journal than that are left out of sight.
        file: the journal's, which is gone on with.
        progress: a bar over all runs, and a line for each.

    Raises:
        UserError: the method declares no search, the journal cannot be used, or the task cannot be tuned on.
        Broken: a run failed.
    """
    task, method = trials.task, trials.method
    space = search_space(method)
    with opened(file, _about(trials, space), space, derive_seed(task.tuning.seed, "tuning", method)) as journal:
        original = trials.original(task.tuning.seed)
        journal.check_rests_on(_rests_on(original) | _held(trials, space))
        objective = objective_of(original, task.tuning)
        better = original.metrics[objective].better
        total = count + task.tuning.finalists * len(task.tuning.finalist_seeds)
        with progress.bar(f"{task.name}/{method}: tuning", total) as advance:
            names = objective, distance_of(original)
            tell = _teller(progress, trials, names, advance)
            done = _search(trials, journal, count, better, tell)
            finalists = _finals(trials, journal, best_of(done, task.tuning.finalists, better), tell)
    chosen = choose(finalists, better)
    return Found(task, method, space, objective, better, names[1], original, tuple(done), finalists, chosen)


def best_of(trials: Sequence[Trial], most: int, better: Better) -> list[Trial]:
    """The best trials that were run and did not diverge, equal settings once; of equal ones the earlier first."""
    ranked = sorted(trials, key=lambda trial: (-trial.judged.score(better), trial.number))
    distinct = {digest_of(trial.settings): trial for trial in reversed(ranked) if trial.judged.status == "ok"}
    return [trial for trial in ranked if distinct.get(digest_of(trial.settings)) is trial][:most]


def choose(finalists: Sequence[Finalist], better: Better) -> Finalist | None:
    """The best mean of those whose runs all keep the limits; where none does, the one that is least beyond them."""
    sign = -1 if better == "lower" else 1
    able = [one for one in finalists if math.isfinite(one.objective) and math.isfinite(one.beyond)]
    return min(able, key=lambda one: (one.beyond, -sign * one.objective, one.trial.number), default=None)


def _search(
    trials: Trials, journal: Journal, count: int, better: Better, tell: Callable[[str, Judged], None]
) -> list[Trial]:
    done = journal.trials
    for trial in done[:count]:
        tell("", trial.judged)
    for number in range(len(done), count):
        settings = journal.next_settings()
        judged = trials.run(settings, trials.task.tuning.seed, f"trial{number}")
        journal.add(settings, judged, judged.score(better))
        said = ", ".join(f"{name}={value}" for name, value in settings.items())
        tell(f"trial {number} ({number + 1} of {count}), {said}", judged)
    return journal.trials[:count]


def _finals(
    trials: Trials, journal: Journal, best: Sequence[Trial], tell: Callable[[str, Judged], None]
) -> tuple[Finalist, ...]:
    found = []
    for trial in best:
        runs = []
        for seed in trials.task.tuning.finalist_seeds:
            judged = journal.run_of(trial.number, seed)
            if judged is None:
                judged = trials.run(trial.settings, seed, f"trial{trial.number}")
                journal.add_run(trial.number, seed, judged)
                tell(f"trial {trial.number} again, seed {seed}", judged)
            else:
                tell("", judged)
            runs.append((seed, judged))
        found.append(Finalist(trial, tuple(runs)))
    return tuple(found)


def _teller(
    progress: Progress, trials: Trials, axes: tuple[str, str], advance: Callable[[int], None]
) -> Callable[[str, Judged], None]:
    def tell(run: str, judged: Judged) -> None:
        """A line of a run, and the bar moved on by one; without a name the bar alone, of what was done before."""
        advance(1)
        if run:
            places = zip(axes, (judged.objective, judged.distance), strict=True)
            numbers = ", ".join(f"{name} {value:.4g}" for name, value in places if math.isfinite(value))
            found = "; ".join(filter(None, (judged.status if judged.status != "ok" else "", numbers, judged.reason)))
            progress.say(f"{trials.task.name}/{trials.method}: {run}: {found}")

    return tell


def _rests_on(original: Record) -> dict[str, str]:
    """What decides what a search finds and stands in no task file; read off the original's record."""
    assert original.protocol is not None
    judge, images = original.protocol.judge_digest, original.protocol.data_fingerprint
    return {"set of images": images, "base": original.digests.get("base", ""), "judge": judge}


def _held(trials: Trials, space: Space) -> dict[str, Any]:
    """What all trials have in common and no task file says: defaults, and the code of a method that is not ours."""
    method = trials.method
    defaults = checked_settings(method, METHODS.get(method).Settings, {}).model_dump(mode="json", context=WHOLE)
    unsaid = defaults.keys() - space.keys() - trials.task.method_settings.get(method, {}).keys()
    code = code_of_others(METHODS.entry(method))
    return {f"default of {name}": defaults[name] for name in sorted(unsaid)} | ({"code": code} if code else {})


def _about(trials: Trials, space: Space) -> dict[str, Any]:
    """All that decides what a search finds, but for the code and the number of trials."""
    task = trials.task.for_tuning()
    given = {"method_settings", *UNMEASURED, "title"}
    tuning = trials.task.tuning
    return {
        "task": task.name,
        "all that the task says": digest_of(task.model_dump(mode="json", exclude=given)),
        "method": trials.method,
        "its settings in the task": task.method_settings.get(trials.method, {}),
        "search": plain_space(space),
        "tuning": tuning.model_dump(mode="json", include={"objective", "seed", "most_evaluations"}),
    }
