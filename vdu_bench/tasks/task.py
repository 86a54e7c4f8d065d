"""The Task model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Literal

from pydantic import Field, PrivateAttr, model_validator

from vdu_bench.data.specs import DataSpec
from vdu_bench.judges.clip.specs import AnyClip
from vdu_bench.judges.specs import AnyJudgeRecipe, AnySecondJudgeRecipe, InceptionSpec
from vdu_bench.models.specs import (
    AnyModel,
    AnyPosterior,
    CheckpointPosterior,
    ComputeSpec,
    LaplacePosterior,
    ModelRecipe,
    PretrainedModel,
    SamplerSpec,
    SnapshotPosterior,
    takes_prompts,
)
from vdu_bench.spec import WHOLE, PositiveInt, Spec, digest_of
from vdu_bench.tasks.prompts import PromptSpec
from vdu_bench.tasks.tuning import Tuning, TuningCost
from vdu_bench.variants import changed, unfit
from vdu_bench.wrong_values import PLAIN_NAME


class QualityLimit(Spec):
    """How much worse than the original a model may be before it counts as destroyed, whatever it has forgotten."""

    ratio: float = Field(gt=0, description="largest distance from real images, in times the original's")
    points: float = Field(10.0, ge=0, description="largest share of junk, in points above the original's")


UNMEASURED = ("settings_from", "tuning", "tuning_cost")
"""Keys of a task that decide no number: where settings are from, and how they are searched for."""


ROUNDED = {
    "sampler": {"batch_size"},
    "compute": {"gradient_checkpointing", "vae_slicing", "channels_last", "compile", "cuda_graphs", "microbatch"},
}
"""Keys that trade memory against time, and move a number in its last bits alone."""


class Task(Spec):
    """A standard task: pure data, so that two runs of the same file are the same task."""

    later: ClassVar[tuple[str, ...]] = (
        *("probe_settings", "quality", "retrain_seeds", "second_judge", "settings_from"),
        *("attacks", "probes", "tuning", "tuning_cost"),
    )

    name: str = Field(pattern=PLAIN_NAME, description="how the task is asked for")
    family: str = Field(pattern=PLAIN_NAME, description="tasks that share data, model and judge")
    title: str = Field(description="one line for listings")
    scale: Literal["embedded", "small", "full"] = Field(description="no table mixes scales")
    protocol: PositiveInt = Field(2, description="raised whenever numbers stop being comparable")
    data: DataSpec = Field(description="a data source: its name, or a mapping of source and its options")
    forget: str = Field(coerce_numbers_to_str=True, description="the class or attribute to forget")
    forget_images: Literal["all"] | PositiveInt = Field("all", description="how many of them a method may draw from")
    model: AnyModel = Field(description="the base model's recipe, or, of a base from elsewhere, its kind alone")
    base: str | None = Field(
        None, description="a folder or hub id with a base model in diffusers' layout, in place of the recipe's"
    )
    posterior: AnyPosterior | None = Field(
        None, description="where the posterior over weights is from: snapshots of the recipe's training, else laplace"
    )
    retrain_seeds: PositiveInt = Field(
        1, description="with how many train seeds the retrained model is made; the cells' seeds take turns with them"
    )
    compute: ComputeSpec = Field(default_factory=ComputeSpec, description="memory against time and precision")
    prompts: PromptSpec | None = Field(None, description="what a text-to-image model is asked for")
    clip: AnyClip | None = Field(None, description="whose cosine the CLIP score of a text-to-image model is")
    inception: InceptionSpec | None = Field(
        None, description="measures u-FID, the Frechet distance in Inception's features, if it is named"
    )
    judge: AnyJudgeRecipe = Field(description="the judge's recipe")
    second_judge: AnySecondJudgeRecipe | None = Field(
        None, description="the recipe of a judge of another family: how far a number is the judge's own"
    )
    judge_accuracy: float | None = Field(
        None, gt=0, le=1, description="share of held-out images; below it the judge's numbers carry a warning"
    )
    sampler: SamplerSpec = Field(default_factory=SamplerSpec, description="how samples are drawn")
    samples: PositiveInt = Field(
        2000, description="images a cell; of a text-to-image model for each of the two sets of prompts"
    )
    pair_strength: float = Field(
        0.5, gt=0, le=1, description="which part of the sampler's way counterfactual pairs are noised back"
    )
    method_settings: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="settings of methods that this task changes"
    )
    settings_from: dict[str, Literal["task", "tuned", "published"]] = Field(
        default_factory=dict,
        description="by method, where the settings are from that this task has it run with; task, unless it is said",
    )
    tuning_cost: dict[str, TuningCost] = Field(
        default_factory=dict, description="by method, what the search for its tuned settings took"
    )
    tuning: Tuning = Field(default_factory=Tuning, description="how vdu-bench tune searches for methods' settings")
    probes: tuple[str, ...] | None = Field(
        None, description="what models are looked at by, beside samples; unless given, all that metrics read"
    )
    attacks: tuple[str, ...] = Field(
        (), description="the attacks that models are put under unless a command says which"
    )
    probe_settings: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="settings of probes that this task changes"
    )

    quality: QualityLimit | None = Field(
        None, description="beyond it a model counts as destroyed; unless given, that of its kind of model"
    )

    _changes: dict[str, Any] = PrivateAttr(default_factory=dict)
    _claims: frozenset[str] = PrivateAttr(default=frozenset())

    @model_validator(mode="after")
    def _named_as_files(self) -> Task:
        for key, name in (("name", self.name), ("family", self.family)):
            if why := unfit(name):
                raise ValueError(f"{key}: {name!r} cannot be used: {why}")
        return self

    @model_validator(mode="after")
    def _enough_samples(self) -> Task:
        if self.samples < 2:
            raise ValueError("samples: at least 2 are needed for any interval")
        return self

    @model_validator(mode="after")
    def _base_from_somewhere(self) -> Task:
        if self.base is None and isinstance(self.model, PretrainedModel):
            raise ValueError("base: there is no recipe in model, so a folder or hub id is needed")
        if self.base is not None and isinstance(self.posterior, SnapshotPosterior):
            raise ValueError("posterior: a base from elsewhere has no snapshots; use checkpoints or laplace")
        return self

    @model_validator(mode="after")
    def _prompts_where_asked(self) -> Task:
        if (self.prompts is None) == takes_prompts(self.model.kind):
            what = "a text-to-image model needs them" if self.prompts is None else "an unconditional model takes none"
            raise ValueError(f"prompts: {what}")
        if self.prompts is None and self.clip is not None:
            raise ValueError("clip: it compares images with prompts, and there are none")
        if self.prompts is not None and self.forget not in self.prompts.captions.phrases:
            raise ValueError(f"prompts.captions.phrases: there is none for {self.forget!r}, which is to be forgotten")
        for prompt, features in ({} if self.prompts is None else self.prompts.retain).items():
            if self.forget in features:
                raise ValueError(f"prompts.retain: {prompt!r} asks for {self.forget!r}, which is to be forgotten")
        return self

    def origin_of(self, method: str) -> Literal["default", "task", "tuned", "published"]:
        """Where a method's settings are from, as far as the task decides them."""
        if method in self.settings_from:
            return self.settings_from[method]
        return "task" if self.method_settings.get(method) else "default"

    @property
    def recipe(self) -> ModelRecipe | None:
        """What the base is trained by; None for a base from elsewhere."""
        return self.model if self.base is None and isinstance(self.model, ModelRecipe) else None

    def retrain_recipe(self, seed: int) -> ModelRecipe | None:
        """What a cell's retrained model is trained by: the recipe, ``seed % retrain_seeds`` added to its seed."""
        if self.recipe is None:
            return None
        training = self.recipe.training
        seeded = training.model_copy(update={"seed": training.seed + seed % self.retrain_seeds})
        return self.recipe.model_copy(update={"training": seeded})

    @property
    def compared(self) -> bool:
        """Whether models are set beside the one that never knew the concept: under attack, where there is one."""
        return bool(self.attacks) and self.recipe is not None

    @property
    def posterior_source(self) -> AnyPosterior:
        """What `posterior` says, or what its absence stands for."""
        if self.posterior is not None:
            return self.posterior
        own = self.recipe is not None
        return SnapshotPosterior(source="snapshots") if own else LaplacePosterior(source="laplace")

    @property
    def elsewhere(self) -> list[str]:
        """The folders and hub ids of models that are not ours to make: a base, checkpoints for the posterior."""
        checkpoints = self.posterior.checkpoints if isinstance(self.posterior, CheckpointPosterior) else ()
        return [*([] if self.base is None else [self.base]), *checkpoints]

    @property
    def changes(self) -> dict[str, Any]:
        """By dotted name, what a command changed of the task; but `forget_images`, which has a field of its own,
        `attacks`, which add to a record and change nothing in it, and what decides no number, or its last bits alone.

        Not a part of the digest: the same task by another way is the same task.
        """
        return dict(self._changes)

    @property
    def claims(self) -> frozenset[str]:
        """The methods for which a command gave, along with their settings, where these are from."""
        return self._claims

    @property
    def limits(self) -> dict[str, float]:
        """The quality limit's amounts, by what metrics call them (`MetricFacts.limit`)."""
        limit = self.quality or QualityLimit(ratio=2.0 if takes_prompts(self.model.kind) else 1.0)
        return limit.model_dump()

    def looked_at_by(self, probe: str) -> bool:
        """Whether the task leaves a probe in; without a name, for what reads no images, and of samples always."""
        return probe in ("", "samples") or self.probes is None or probe in self.probes

    def for_tuning(self) -> Task:
        """The task that methods are tuned on: other prompts, another number of samples, and only what the search reads.

        Second judge, CLIP score, FID in Inception's features, attacks and all probes but the samples are left out: they
        decide neither the objective nor the quality limit. Raises UserError where a task with prompts has none for
        tuning.
        """
        prompts = None if self.prompts is None else self.prompts.for_tuning(self.name)
        apart = {"samples": self.tuning.samples, "prompts": prompts, "probes": (), "attacks": ()}
        tuned = self.model_copy(update={**apart, "second_judge": None, "clip": None, "inception": None})
        # In its name, so that no record of a trial goes by the name of a result.
        tuned._changes = {**self._changes, "tuning": True}
        return tuned

    def changed_from(self, original: Task, claims: Iterable[str] = ()) -> Task:
        """This task with a note of what it has otherwise than `original`; `claims` are methods (`Task.claims`)."""
        unnamed: dict[str, Any] = dict.fromkeys(("forget_images", "attacks", *UNMEASURED), True)
        unnamed |= {name: keys for name, keys in ROUNDED.items() if name != "sampler" or not self.sampler.eta}
        before, after = (task.model_dump(mode="json", context=WHOLE, exclude=unnamed) for task in (original, self))
        if self.posterior is not None and self.posterior.source == original.posterior_source.source:
            before["posterior"] = original.posterior_source.model_dump(mode="json", context=WHOLE)
        self._changes = {**original._changes, **changed(before, after)}
        self._claims = original._claims | frozenset(claims)
        return self

    def digest(self) -> str:
        """sha256 of everything the file says, but for what decides no number."""
        return digest_of(self.model_dump(mode="json", exclude=set(UNMEASURED)))
