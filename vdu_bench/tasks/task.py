"""The Task model."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Literal

from pydantic import Field, model_validator

from vdu_bench.data.specs import DataSpec
from vdu_bench.judges.specs import AnyJudgeRecipe
from vdu_bench.models.specs import ModelRecipe, PositiveInt, SamplerSpec, Spec


class Task(Spec):
    """A standard task: pure data, so that two runs of the same file are the same task."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_]*$", description="how the task is asked for")
    family: str = Field(pattern=r"^[a-z0-9][a-z0-9_]*$", description="tasks that share data, model and judge")
    title: str = Field(description="one line for listings")
    scale: Literal["embedded", "small", "full"] = Field(description="no table mixes scales")
    protocol: PositiveInt = Field(1, description="raised whenever numbers stop being comparable")
    data: DataSpec = Field(description="a data source: its name, or a mapping of source and its options")
    forget: str = Field(coerce_numbers_to_str=True, description="the class or attribute to forget")
    forget_images: Literal["all"] | PositiveInt = Field("all", description="how many of them a method may draw from")
    model: ModelRecipe = Field(description="the base model's recipe")
    judge: AnyJudgeRecipe = Field(description="the judge's recipe")
    judge_accuracy: float | None = Field(
        None, gt=0, le=1, description="share of held-out images; below it the judge's numbers carry a warning"
    )
    sampler: SamplerSpec = Field(default_factory=SamplerSpec, description="how samples are drawn")
    samples: PositiveInt = Field(2000, description="images a cell")
    method_settings: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="settings of methods that this task changes"
    )

    @model_validator(mode="after")
    def _enough_samples(self) -> Task:
        if self.samples < 2:
            raise ValueError("samples: at least 2 are needed for any interval")
        return self

    def digest(self) -> str:
        """sha256 of everything the file says."""
        return spec_hash(self.model_dump(mode="json"))


def spec_hash(data: Any) -> str:
    """sha256 of plain data in canonical JSON: the address of whatever is made from it."""
    return hashlib.sha256(json.dumps(data, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
