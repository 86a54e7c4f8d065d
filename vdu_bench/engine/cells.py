"""Cells: which of them a command asks for, and the request by which the record of a finished one is found.

Nothing here imports torch, so that a command whose cells are all done answers at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vdu_bench.data.catalog import SOURCES, data_stamp
from vdu_bench.engine.cards import kind_in
from vdu_bench.engine.code import code_digest
from vdu_bench.engine.store import Store
from vdu_bench.engine.usage import pipeline_code
from vdu_bench.errors import UserError
from vdu_bench.files import stamp
from vdu_bench.methods.catalog import METHODS, method_facts
from vdu_bench.methods.regime import Need, Regime, forbidden_needs
from vdu_bench.methods.settings import beside, is_published
from vdu_bench.metrics.catalog import METRICS
from vdu_bench.models.specs import AnyPosterior, CheckpointPosterior, LaplacePosterior, ModelRecipe, SnapshotPosterior
from vdu_bench.nested import merged
from vdu_bench.plain_json import in_json
from vdu_bench.probes.catalog import PROBES, check_attack, check_probe_settings
from vdu_bench.records import SettingsFrom
from vdu_bench.spelling import as_text, spelled
from vdu_bench.tasks.task import Task
from vdu_bench.variants import CALLED, changed, file_name, variant_name

if TYPE_CHECKING:
    # It brings the hub's client, which a command whose cells are done has no use for.
    from vdu_bench.models.files.external_files import ExternalFiles

ALL = "all"
"""In the place of methods' names: every one that can run."""
REFERENCES = ("original", "retrain", "real")


@dataclass(frozen=True)
class External:
    """A model that was unlearned elsewhere, in the place of a method.

    Attributes:
        files: where it lies.
        sha256: of its file; of several, over their names and sha256.
        seconds: what the unlearning took, as its user states; None where nobody says.
        called: what a record calls the same content already; empty for its own name.
    """

    files: ExternalFiles
    sha256: str
    seconds: float | None = None
    called: str = ""

    @property
    def settings(self) -> dict[str, Any]:
        """What stands in a record for a method's settings: what has to be the same in all of its seeds."""
        return {"checkpoint": self.called or self.files.name, "sha256": self.sha256}


@dataclass(frozen=True)
class Cell:
    """One task, one method with its settings or a model from elsewhere, one seed.

    Attributes:
        task: with all overrides applied.
        method: the method's name, or what the model from elsewhere is called.
        overrides: settings that differ from the method's defaults, as the user and the task gave them.
        changes: those of them that the user gave and the task has otherwise; with them a regime other than full.
        regime: which data the method may see.
        seed: the unlearn and the sample seed; of a model from elsewhere the sample seed alone.
        device: as asked for (``auto``, ``cpu``, ``cuda``, ``cuda:0,cuda:1``...).
        data_dir: where data sets from outside the package lie; None where no place was named.
        data_stamp: tells whether the data are the same as before, without reading them; taken before anything runs.
        models_stamp: the same of models from elsewhere, where they lie in folders.
        external: the model from elsewhere; None where a method makes it.
        called: what its row is called; empty where `changes` do that.
    """

    task: Task
    method: str
    overrides: Mapping[str, Any]
    regime: Regime
    seed: int
    device: str
    data_dir: Path | None = None
    data_stamp: str = ""
    models_stamp: str = ""
    external: External | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    called: str = ""

    @property
    def needs_retrained(self) -> bool:
        """Whether the retrained model decides its record."""
        return self._needs("retrained")

    @property
    def compared(self) -> bool:
        """Whether its model is set beside the one that never knew the concept."""
        return self.task.compared and not self.of_real

    @property
    def needs_posterior(self) -> bool:
        """Whether the posterior over the base's weights decides its record."""
        return self._needs("posterior")

    def _needs(self, need: Need) -> bool:
        return self.external is None and need in method_facts(self.method).needs

    @property
    def recipe(self) -> ModelRecipe | None:
        """What its model is trained by, or the base that it is made of; None for a base from elsewhere."""
        return self.task.retrain_recipe(self.seed) if self.needs_retrained else self.task.recipe

    @property
    def of_real(self) -> bool:
        """Whether real images stand in the place of a model's samples."""
        return self.external is None and "held_out" in method_facts(self.method).needs

    @property
    def settings_from(self) -> SettingsFrom:
        """Where the method's settings are from; empty, not known, of a model from elsewhere."""
        if self.external is not None:
            return ""
        # A regime says which data a method may see, and is no setting of it.
        own = {name: value for name, value in self.changes.items() if name != "regime"}
        of_task = [name for name in self.task.changes if name.startswith(f"method_settings.{self.method}.")]
        if is_published(own) and not of_task:
            return "published"
        if of_task or (own and self.method not in self.task.claims):
            return "command"
        return self.task.origin_of(self.method)

    @property
    def tuning_cost(self) -> dict[str, int]:
        """What the search for the method's settings took; empty where they are not tuned, or the task does not say."""
        cost = self.task.tuning_cost.get(self.method) if self.settings_from == "tuned" else None
        return {} if cost is None else cost.model_dump()

    @property
    def name(self) -> str:
        """``variant/method/seed``, as of its record: it holds what a command changed of task and method."""
        return f"{self.variant}/{file_name(self.method, self.changes, self.called)}/seed{self.seed}"

    @property
    def variant(self) -> str:
        """The task's name, with what was changed of it."""
        return variant_name(self.task.name, self.task.forget_images, self.task.changes)


def request(cell: Cell, store: Store) -> dict[str, Any]:
    """All that decides a cell's record, as far as it can be known without importing anything heavy."""
    # What no import reaches, since it is found by its name.
    entries = [SOURCES.entry(cell.task.data.source), *METRICS.present().values(), *PROBES.present().values()]
    who: dict[str, Any]
    if cell.external is None:
        who = {"settings": dict(cell.overrides)}
        entries.append(METHODS.entry(cell.method))
    else:
        who = {"external": cell.external.settings, "seconds": cell.external.seconds}
    return {
        "task": cell.task.digest(),
        "method": cell.method,
        **who,
        "regime": cell.regime,
        "seed": cell.seed,
        "device": kind_in(cell.device),
        "data": cell.data_stamp,
        "models": cell.models_stamp,
        "code": code_digest(["vdu_bench.engine.worker", *pipeline_code(cell.task), *entries]),
        "metrics": {name: entry.target for name, entry in METRICS.present().items()},
        "probes": {name: entry.target for name, entry in PROBES.present().items()},
        "made_of": store.digests(_made_of(cell), cell.task.family),
    }


def _made_of(cell: Cell) -> dict[str, dict[str, Any]]:
    """The kinds of stages that take long and decide a record, each with what singles out the cell's own by its spec."""
    kinds: dict[str, dict[str, Any]] = {"base": {}, "judge": {}, "second_judge": {}, "clip": {}}
    if (cell.needs_retrained or cell.compared) and (recipe := cell.task.retrain_recipe(cell.seed)) is not None:
        kinds["retrain"] = {"without": cell.task.forget, "recipe": recipe.model_dump(mode="json")}
    posterior = cell.task.posterior_source
    if cell.needs_posterior and isinstance(posterior, SnapshotPosterior):
        kinds["posterior"] = posterior.model_dump(mode="json", exclude={"source"})
    return kinds


def expand(
    tasks: Sequence[Task],
    methods: Sequence[str],
    seeds: Sequence[int],
    regime: Regime,
    settings: Mapping[str, Sequence[Mapping[str, Any]]],
    device: str,
    data_dir: Path | None = None,
    called: str = "",
) -> tuple[list[Cell], list[str]]:
    """The cells of a command, and a line for each method that is left out.

    `original`, `retrain` and `real` are added to every task: they frame the table, and no regime binds them; `retrain`
    is left out of a task whose base has no recipe. ``all`` stands for every method; one that the regime forbids, or
    that does not take the task's kind of model, is then left out.

    Args:
        tasks: with what a command changed of them; several variants of one among them.
        methods: names.
        seeds: a cell for each.
        regime: which data methods may see.
        settings: by method, the settings of each of its variants.
        device: as asked for.
        data_dir: where data sets from outside the package lie.
        called: what contestants' rows are called in place of their settings.

    Raises:
        UserError: an unknown method, settings for a method that is not run or the same twice, or a method that was
            asked for by name and cannot be run; a task's data are not there, or it has settings of a probe that is not
            run; a name that cannot be used, or one for several variants.
    """
    _check_called(called, settings)
    check_all_alone(methods)
    everything = list(methods) == [ALL]
    chosen = list(METHODS.each(method_facts)) if everything else list(methods)
    names = list(dict.fromkeys([*REFERENCES, *chosen]))
    for name in names:
        METHODS.entry(name)
    for name in settings:
        METHODS.entry(name)
        if name not in names:
            raise UserError(f"settings are given for {name!r}, which is not among the methods: {', '.join(names)}")
    cells, left_out = [], []
    for task in tasks:
        for attack in task.attacks:
            check_attack(attack, task.model.kind, task.name)
        check_probe_settings(task)
        stamps = data_stamp(task.data, data_dir), models_stamp(task.elsewhere)
        for name in names:
            why = obstacle(task, name, regime)
            if why and (everything or name not in methods):
                left_out.append(f"{task.name}: {name} is left out: {why}")
                continue
            if why:
                raise UserError(f"{name} cannot run on {task.name}: {why}")
            contestant = method_facts(name).role == "contestant"
            # No regime binds the reference rows, so theirs is always the same.
            bound = regime if contestant else "full"
            made: set[str] = set()
            for own in map(spelled, settings.get(name, [{}])):
                given = beside(task.method_settings.get(name, {}), own)
                overrides = merged(given, own)
                if (text := as_text(overrides)) in made:
                    raise UserError(f"{name} is to run twice on {task.name} with the same settings, {in_json(own)}")
                made.add(text)
                changes = {**changed(given, overrides), **({} if bound == "full" else {"regime": bound})}
                row = called if contestant else ""
                cells += [
                    Cell(task, name, overrides, bound, seed, device, data_dir, *stamps, changes=changes, called=row)
                    for seed in seeds
                ]
    return cells, left_out


def _check_called(called: str, settings: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    if called and not CALLED.fullmatch(called):
        raise UserError(
            f"--name {called!r}: use up to 32 letters, digits, - _ and .; begin with a letter or digit; end with no ."
        )
    for name, variants in settings.items():
        if called and len(variants) > 1:
            raise UserError(f"--name {called}: {name} has {len(variants)} variants, which cannot share a name")


def models_stamp(sources: Iterable[str]) -> str:
    """Tells whether models from elsewhere are the same as before, unread; empty where none lies in a folder."""
    folders = [Path(source) for source in sources if Path(source).is_dir()]
    return stamp(folders) if folders else ""


def of_posterior(posterior: AnyPosterior) -> dict[str, Any]:
    """What decides a posterior beside the base and the prompts; nothing for snapshots, which are a stage."""
    if isinstance(posterior, CheckpointPosterior):
        stamp = models_stamp(posterior.checkpoints)
        return {"posterior": posterior.model_dump(mode="json"), "checkpoints": stamp}
    if isinstance(posterior, LaplacePosterior):
        return {"posterior": posterior.model_dump(mode="json")}
    return {}


def tasks_of(cells: Iterable[Cell]) -> list[Task]:
    """The cells' tasks, each of its variants once."""
    return list({cell.task.digest(): cell.task for cell in cells}.values())


def check_all_alone(methods: Sequence[str]) -> None:
    """Raise UserError for ``all`` beside others."""
    if len(methods) > 1 and ALL in methods:
        raise UserError(f"methods {', '.join(methods)}: {ALL} stands alone")


def obstacle(task: Task, name: str, regime: Regime) -> str:
    """Why a method cannot run on a task in a regime; empty where it can."""
    facts = method_facts(name)
    if "retrained" in facts.needs and task.recipe is None:
        return "the base is from elsewhere, and there is no recipe to train it again by"
    if task.model.kind not in facts.supports:
        return f"it works on {' and '.join(facts.supports)} models only"
    forbidden = forbidden_needs(regime, facts.needs, facts.role)
    return f"it needs {', '.join(forbidden)}, which --regime {regime} forbids" if forbidden else ""
