"""The base class of metrics."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from vdu_bench.measured import TOLERANCE, Axis, Better, Estimate, Gate, Group, Limit, Matrix, Scale
from vdu_bench.methods.settings import check_words
from vdu_bench.metrics.evidence import Evidence
from vdu_bench.models.specs import ModelKind
from vdu_bench.probes.catalog import PROBES
from vdu_bench.tasks.task import Task

OfReal = Literal["", "alike", "at_own_count"]

_WORDS = {
    "better": get_args(Better),
    "group": get_args(Group),
    "axis": get_args(Axis),
    "gate": get_args(Gate),
    "scale": get_args(Scale),
    "limit": get_args(Limit),
    "of_real": get_args(OfReal),
}
_GO_TOGETHER: dict[str, dict[str, tuple[str, ...]]] = {
    "sampled": {"unit": ("%",), "better": ("higher", "lower")},
    "against_original": {"unit": ("%",), "better": ("higher",)},
    "forgetting": {"unit": ("%",), "better": ("higher",)},
    "distance": {"better": ("lower",)},
}


@dataclass(frozen=True)
class Measurement:
    """What a metric finds of one cell.

    Attributes:
        estimate: the number; NaN with a reason where it cannot be made.
        outcomes: bool ``[N]``, of each sample whether it counts, in the order of the noise, for comparisons that pair
            samples. A metric that is gated by its samples has to give them wherever its estimate is a number.
        matrix: the table behind the number, where there is one.
    """

    estimate: Estimate
    outcomes: NDArray[np.bool_] | None = None
    matrix: Matrix | None = None


class Metric(ABC):
    """One number about a cell, with its uncertainty.

    A subclass says what it is in class attributes (as literals: listings read them without importing), and in its
    docstring the formula and where it comes from. All but `kinds` and `of_real` stand in the record, where they mean
    what `vdu_bench.measured.MetricFacts` says; reports know metrics by them, and none by its name.

    Attributes:
        unit: ``%``, ``s``, or empty for a plain number.
        better: which direction is an improvement.
        kinds: the kinds of models that it is measured on.
        probe: the probe whose images it reads, such as ``samples`` or ``pairs``; empty for what reads none.
        group: ``forgetting``, ``quality``, ``robustness`` or ``cost``: where its column stands.
        headline: whether it stands in the first table.
        rank: its place in its group.
        axis: whether it is an axis of the comparison: ``forgetting`` or ``distance``.
        title: what print calls it; its label if empty.
        gate: what a loss is tested against: ``scatter`` (of seeds), ``sampled`` (a share of samples, over their noise),
            ``against_original`` (what is left of the original's samples, likewise), ``counted`` (a count
            without chance: the tolerance alone decides), ``timed`` and ``never`` (no test).
        tolerance: the largest loss that does not count, in its unit, such as ``2``, or of the reference, as ``10%``.
        counts: what its outcomes are called in the record; its own name if empty.
        covered_by: the metric that is tested in its place where that has a number, since it counts the same.
        scale: on which scale its intervals over seeds are made: ``ratio``, ``share``, ``chance``, ``positive``,
            ``signed``; or ``range``, whose ends are no interval.
        same_units: whether all seeds are measured on the same images or prompts: no mean over seeds averages these out.
        limit: by which amount of the task's quality limit it may exceed the original's: ``ratio`` or ``points``.
        of_real: whether it means something for held-out real images in the place of samples, which are fewer: nothing
            (empty), the same as for samples (``alike``), or only beside the original's at the same number of images
            (``at_own_count``).
    """

    unit: ClassVar[str] = ""
    better: ClassVar[Better] = "none"
    kinds: ClassVar[tuple[ModelKind, ...]] = ("unconditional", "text_to_image")
    probe: ClassVar[str] = "samples"
    group: ClassVar[Group] = "quality"
    headline: ClassVar[bool] = False
    rank: ClassVar[int] = 100
    axis: ClassVar[Axis] = ""
    title: ClassVar[str] = ""
    gate: ClassVar[Gate] = "scatter"
    tolerance: ClassVar[str] = "10%"
    counts: ClassVar[str] = ""
    covered_by: ClassVar[str] = ""
    scale: ClassVar[Scale] = "signed"
    same_units: ClassVar[bool] = False
    limit: ClassVar[Limit] = ""
    of_real: ClassVar[OfReal] = ""

    def __init_subclass__(cls, **more: Any) -> None:
        """Raises TypeError for attributes that are no facts, or do not go together."""
        super().__init_subclass__(**more)
        for name, words in _WORDS.items():
            if (value := getattr(cls, name)) not in words:
                raise TypeError(f"{cls.__name__}.{name} is {value!r}, and not one of {', '.join(map(repr, words))}")
        check_words(cls, "kinds", get_args(ModelKind))
        if not isinstance(cls.tolerance, str) or re.fullmatch(TOLERANCE, cls.tolerance) is None:
            raise TypeError(f"{cls.__name__}.tolerance is {cls.tolerance!r}, and not a number as text, such as '10%'")
        for fact in (cls.gate, cls.axis):
            for name, words in _GO_TOGETHER.get(fact, {}).items():
                if (value := getattr(cls, name)) not in words:
                    raise TypeError(f"{cls.__name__} is {fact!r}, and its {name} {value!r}, not {' or '.join(words)}")

    @classmethod
    def applies(cls, task: Task) -> bool:
        """Whether it is measured on a task at all: by its kind of model and its probe, unless a subclass knows more."""
        if task.model.kind not in cls.kinds:
            return False
        if cls.probe and PROBES.get(cls.probe).attack:
            return cls.probe in task.attacks
        return task.looked_at_by(cls.probe)

    def label(self, name: str, evidence: Evidence) -> str:  # noqa: ARG002
        """The full name for tables; more than `name` where numbers of another count or extractor do not compare."""
        return name

    @abstractmethod
    def compute(self, evidence: Evidence) -> Measurement:
        """What there is to find; the estimate is NaN with a reason where it cannot be made."""


def without_interval(value: float, n: int, why: str) -> Estimate:
    """An estimate that states why it has no interval."""
    return Estimate(value=value, n=n, method=f"no interval: {why}")


def unknown(why: str, n: int = 0) -> Measurement:
    """A measurement of what cannot be estimated, and why."""
    return Measurement(Estimate(n=n, reason=why))
