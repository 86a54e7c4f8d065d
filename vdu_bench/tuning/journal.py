"""A search that can be gone on with: Optuna's TPE, and its journal file, which holds what is finished and nothing else.

A trial is written when it is done, all of it at once. So a search that was killed has lost the run that it was in, and
no more: the sampler of each trial is seeded by the trial's number and sees the trials before it, and what is asked for
next is the same as if nothing had happened.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from vdu_bench.engine.locks import acquired
from vdu_bench.errors import UserError
from vdu_bench.extras import install
from vdu_bench.files import write_atomically
from vdu_bench.methods.search import Choice, Range, Space
from vdu_bench.seeds import derive_seed
from vdu_bench.tuning.judging import Judged

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution

STARTUP = 5
"""Trials at random, before the sampler has anything to go by."""

DIGITS = 3
"""Of a setting that is searched for: more would make no difference, and these are to be read and typed."""

ABOUT, RESTS_ON = "about", "rests on"


@dataclass(frozen=True)
class Trial:
    """Settings that were tried."""

    number: int
    settings: dict[str, Any]
    judged: Judged
    """With the trials' seed."""


class Journal:
    """The journal of one search.

    Args:
        study: Optuna's, which keeps it.
        space: what is searched.
        seed: what the sampler of each trial is seeded by, with the trial's number.
    """

    def __init__(self, study: Study, space: Space, seed: int) -> None:
        self._study, self._space, self._seed = study, space, seed
        self._distributions = {name: _distribution(values) for name, values in space.items()}

    def check_rests_on(self, facts: Mapping[str, Any]) -> None:
        """Raise UserError where the trials that are there rest on other facts than these, in plain data by name.

        Of what a journal does not say, since older code began it or the method had no such setting, it is believed.
        """
        before, now = self._study.user_attrs.get(RESTS_ON, {}), json.loads(json.dumps(facts))
        if other := [name for name in now if name in before and before[name] != now[name]]:
            raise UserError(
                f"the journal of {self._study.study_name} rests on another {', '.join(other)}: name another --out, or "
                "move it away"
            )
        if now.keys() - before.keys():
            self._study.set_user_attr(RESTS_ON, now | before)

    @property
    def trials(self) -> list[Trial]:
        """All that are done, by number."""
        return [
            Trial(one.number, one.user_attrs["settings"], Judged.of(one.user_attrs["judged"]))
            for one in self._study.get_trials(deepcopy=False)
        ]

    def next_settings(self) -> dict[str, Any]:
        """What is to be tried next: the same whenever the same trials are done."""
        import optuna

        done = self._study.get_trials(deepcopy=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = optuna.samplers.TPESampler(
                n_startup_trials=STARTUP, multivariate=True, seed=derive_seed(self._seed, "trial", len(done)) % 2**32
            )
        asked = optuna.create_study(direction="maximize", sampler=sampler)
        asked.add_trials(done)
        params = asked.ask(self._distributions).params
        # As it comes back from the journal: a tuple is a list there.
        return dict(json.loads(json.dumps({name: _value(one, params[name]) for name, one in self._space.items()})))

    def add(self, settings: Mapping[str, Any], judged: Judged, score: float) -> None:
        """A trial that is done."""
        import optuna

        params = {name: _label(values, settings[name]) for name, values in self._space.items()}
        self._study.add_trial(
            optuna.trial.create_trial(
                params=params,
                distributions=self._distributions,
                value=score,
                user_attrs={"settings": dict(settings), "judged": judged.plain()},
            )
        )

    def run_of(self, trial: int, seed: int) -> Judged | None:
        """A finalist's run with a seed, if it is done."""
        found = self._study.user_attrs.get(_run(trial, seed))
        return None if found is None else Judged.of(found)

    def add_run(self, trial: int, seed: int, judged: Judged) -> None:
        """A finalist's run that is done."""
        self._study.set_user_attr(_run(trial, seed), judged.plain())


@contextmanager
def opened(file: Path, about: Mapping[str, Any], space: Space, seed: int) -> Iterator[Journal]:
    """The journal in a file, gone on with or begun; no other process has it meanwhile.

    Args:
        file: where it is; its folder is made.
        about: all that decides what the search finds, in plain data.
        space: what is searched.
        seed: as of `Journal`.

    Raises:
        UserError: Optuna is not installed, another process has the journal, or it is none, or of another search.
    """
    try:
        import optuna
        from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
    except ImportError as error:
        raise UserError(f"tuning needs Optuna: {install('tune')}") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot write to {file.parent}: {error.strerror}") from error
    lock = FileLock(file.with_name(f".{file.name}.lock"))
    if not acquired(lock, 0, "--out"):
        raise UserError(f"another process is tuning into {file}; wait for it, or name another --out")
    try:
        _mend(file)
        # Ours is the only process, so what is left of a killed one's lock holds nothing.
        Path(f"{file}.lock").unlink(missing_ok=True)
        try:
            storage = optuna.storages.JournalStorage(
                JournalFileBackend(str(file), lock_obj=JournalFileOpenLock(str(file)))
            )
            # Asked for first: to create one that is there leaves a line in the journal.
            there = optuna.get_all_study_names(storage)
            study = (
                optuna.load_study(study_name=there[0], storage=storage)
                if there
                else optuna.create_study(study_name=file.stem, storage=storage, direction="maximize")
            )
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{file} is no journal of Optuna's; move it away to begin again") from error
        _check_same(study, file, json.loads(json.dumps(about)))
        yield Journal(study, space, seed)
    finally:
        lock.release()


def _check_same(study: Study, file: Path, about: dict[str, Any]) -> None:
    before = study.user_attrs.get(ABOUT)
    if before is None and not study.get_trials(deepcopy=False):
        study.set_user_attr(ABOUT, about)
    elif before != about:
        other = [name for name in about if (before or {}).get(name) != about[name]]
        raise UserError(
            f"{file} is of another search: it differs in {', '.join(other)}; name another --out, or move it away"
        )


def _mend(file: Path) -> None:
    """Drop a last line that a killed process did not finish: what is written after it would be no journal."""
    content = file.read_bytes() if file.exists() else b""
    if content and not content.endswith(b"\n"):
        write_atomically(file, content[: content.rfind(b"\n") + 1])


def _run(trial: int, seed: int) -> str:
    return f"trial {trial}, seed {seed}"


def _distribution(values: Range | Choice) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(values, Choice):
        return CategoricalDistribution([_label(values, value) for value in values.values])
    if values.integer:
        return IntDistribution(int(values.low), int(values.high), log=values.log)
    return FloatDistribution(values.low, values.high, log=values.log)


def _label(values: Range | Choice, value: Any) -> Any:
    """What stands for a value in the journal: itself, or its JSON where Optuna takes no such value."""
    plain = isinstance(values, Range) or value is None or isinstance(value, bool | int | float | str)
    return value if plain else json.dumps(value)


def _value(values: Range | Choice, found: Any) -> Any:
    if isinstance(values, Choice):
        return next(value for value in values.values if _label(values, value) == found)
    return found if values.integer else min(max(float(f"{found:.{DIGITS}g}"), values.low), values.high)
