"""The base class of metrics."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from vdu_bench.metrics.evidence import Evidence
from vdu_bench.models.specs import ModelKind
from vdu_bench.records import Better, Estimate
from vdu_bench.tasks.task import Task


class Metric(ABC):
    """One number about a cell, with its uncertainty.

    A subclass says its unit and direction in class attributes (as literals: listings read them without importing), and
    in its docstring the formula and where it comes from.
    """

    unit: ClassVar[str] = ""
    better: ClassVar[Better] = "none"
    kinds: ClassVar[tuple[ModelKind, ...]] = ("unconditional", "text_to_image")

    @classmethod
    def applies(cls, task: Task) -> bool:
        """Whether it is measured on a task at all: by its kind of model, unless a subclass knows more."""
        return task.model.kind in cls.kinds

    def label(self, name: str, evidence: Evidence) -> str:  # noqa: ARG002
        """The full name for tables; more than `name` where numbers of another count or extractor do not compare."""
        return name

    @abstractmethod
    def compute(self, evidence: Evidence) -> Estimate:
        """The estimate; NaN with a reason where it cannot be made."""


def without_interval(value: float, n: int, why: str) -> Estimate:
    """An estimate that states why it has no interval."""
    return Estimate(value=value, n=n, method=f"no interval: {why}")
