"""What a task file says about the search for methods' settings. Plain data, without torch."""

from __future__ import annotations

from pydantic import Field, model_validator

from vdu_bench.spec import PositiveInt, Spec


class Tuning(Spec):
    """How methods are tuned on a task: every one of them with the same budget, on seeds that no result uses.

    None of it decides a number of a result, so none of it is a part of the task's digest.
    """

    objective: str = Field("pul_strict", description="the metric whose best value is searched for, within the limits")
    trials: PositiveInt = Field(20, description="settings that are tried of each method, on the first seed")
    samples: int = Field(
        1000, ge=2, description="images a trial; of a text-to-image model for each of the two sets of prompts"
    )
    finalists: PositiveInt = Field(5, description="how many of the best trials are run again on the other seeds")
    seed: int = Field(100, ge=100, description="the trials' seed")
    finalist_seeds: tuple[int, ...] = Field(
        (101, 102, 103), min_length=1, description="the finalists' seeds; the best mean over them is chosen"
    )
    most_evaluations: PositiveInt = Field(
        40_000, description="forward evaluations of the denoiser that a trial's unlearning may take; one is one image"
    )

    @model_validator(mode="after")
    def _seeds_of_their_own(self) -> Tuning:
        if min(self.finalist_seeds) < 100:
            raise ValueError("finalist_seeds: results use the seeds below 100, and settings are chosen on others")
        if self.seed in self.finalist_seeds or len(set(self.finalist_seeds)) < len(self.finalist_seeds):
            raise ValueError("finalist_seeds: a seed comes twice; finalists run on seeds that no trial used")
        return self


class TuningCost(Spec):
    """What the search for a method's settings took, finalists' runs included."""

    trials: PositiveInt = Field(description="settings that were tried")
    evaluations: int = Field(ge=0, description="forward evaluations of the denoiser while unlearning, in all of them")
