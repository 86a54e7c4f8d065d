"""What a metric leaves in a record: an estimate, the facts that it is read by, and what became of each sample."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from vdu_bench.bits import counted, pack, packed, unpack

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Better = Literal["higher", "lower", "none"]
Group = Literal["forgetting", "quality", "robustness", "cost"]
Axis = Literal["", "forgetting", "distance"]
Scale = Literal["ratio", "share", "chance", "positive", "signed", "range"]
Limit = Literal["", "ratio", "points"]
Gate = Literal["scatter", "sampled", "against_original", "counted", "timed", "never"]

TOLERANCE = r"\d+(\.\d+)?%?"
"""How a tolerance is written."""


def _nan_for_null(value: Any) -> Any:
    return math.nan if value is None else value


# JSON has no NaN: it is written as null (pydantic's default) and read back as NaN.
Number = Annotated[float, BeforeValidator(_nan_for_null)]


class Schema(BaseModel):
    """The base of all parts of a record: an unknown key is an error."""

    model_config = ConfigDict(extra="forbid")


class Terse(Schema):
    """A part that a record holds by the dozen: what has its default is not written."""

    @model_serializer(mode="wrap")
    def _without_defaults(self, plainly: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = plainly(self)
        fields = type(self).model_fields
        return {
            key: value
            for key, value in written.items()
            if fields[key].is_required() or not _same(getattr(self, key), fields[key].default)
        }


NOT_REACHED = "not reached"
"""How the reason begins of a number that is not known because it lies beyond all that was tried."""


def _same(value: Any, default: Any) -> bool:
    return value == default or (value != value and default != default)  # NaN is the default of what is not known


class Estimate(Terse):
    """A measured number with its uncertainty. What cannot be estimated is NaN with a reason, never a number."""

    value: Number = math.nan
    """The estimate, in the metric's unit; NaN when it cannot be made."""
    low: Number = math.nan
    """Lower end of the 95 % interval; NaN where there is none."""
    high: Number = math.nan
    """Upper end of the 95 % interval; NaN where there is none."""
    n: int = 0
    """How many samples the number rests on."""
    total: int = 0
    """The count that a ratio or a share is of, such as the original's hits for PUL; 0 where it is `n`, or not known."""
    method: str = ""
    """How the interval was made, or why there is none."""
    reason: str = ""
    """Why the value is NaN; empty when it is not."""


class MetricFacts(Terse):
    """What a reader has to know of a metric without its code. Written only where it differs from the default."""

    label: str
    """The full name: carries extractor and sample count where numbers of others do not compare."""
    unit: str
    """``%``, ``s``, ``MiB``, or empty for a plain number."""
    better: Better
    """Which direction is an improvement; ``none`` for what is reported without a judgement."""
    group: Group
    """What it is about. ``forgetting``: whether the concept is gone. ``quality``: what else the model lost.
    ``robustness``: what comes back when somebody tries, and how far the model is from one that never knew. ``cost``:
    what it took. Columns of a group stand together, in this order."""
    gate: Gate
    """What a loss is tested against. ``scatter``: that of the seeds. ``sampled``: a share, in percent, of samples that
    are outcomes, against their noise. ``against_original``: 100 (1 - n / n of the original) of outcomes, likewise.
    ``counted``: a count without chance, on which the tolerance alone decides. Counted evaluations (the unit tells) are
    tested as ``scatter`` with a tolerance of 10 % where the method takes another number of them with each seed.
    ``timed``: not tested, since it differs from run to run. ``never``: not tested, since it follows from what another
    metric is tested by."""
    tolerance: str = Field("10%", pattern=f"^{TOLERANCE}$")
    """The largest loss that does not count: in the metric's unit, or percent of the reference's value."""
    headline: bool = False
    """Whether it stands in the first table."""
    rank: int = 100
    """Its place in its group, small ones first; those of the same rank by name."""
    axis: Axis = ""
    """Whether it is an axis of the comparison, which plots and the paper's table show. ``forgetting``: percent, 100
    where nothing is left of the concept; rows are sorted by the first of these. ``distance``: from real images."""
    title: str = ""
    """What print calls it; empty for its label."""
    probe: str = "samples"
    """The probe whose images it reads; empty for what reads none."""
    counts: str = ""
    """What its outcomes are called in the record: metrics that count the same share them. Empty without outcomes."""
    scale: Scale = "signed"
    """On which scale seeds are averaged and intervals made, so that they stay inside the range. ``ratio``: percent, 100
    (1 - the share left), at most 100. ``share``: percent, 0 to 100. ``chance``: 0 to 1. ``positive``: above 0.
    ``signed``: any number. ``range``: low and high are extremes over judges, and no interval."""
    same_units: bool = False
    """Whether all seeds are measured on the same images or prompts: which few these are is then the same in every seed,
    and no mean over seeds averages that out."""
    limit: Limit = ""
    """How far it may be beyond the original's before the model counts as destroyed, by the amount that the record's
    protocol has under the same name: ``ratio`` (so many times the original's), ``points`` (so many above it)."""
    covered_by: str = ""
    """The metric that is tested in its place where that one has a number, for it counts the same; empty for none."""


class MetricResult(MetricFacts):
    """An estimate with what is needed to read it without the code."""

    estimate: Estimate
    """The number."""


class AtOwnCount(Schema):
    """What real images have at their own number, where that is smaller than the number of other rows' samples."""

    label: str
    """The metric's full name at this number: it does not compare with that of others."""
    real: Estimate
    """Of the real images."""
    original: Estimate
    """Of as many of the original model's samples, the first ones."""


class Outcomes(Schema):
    """What became of each sample, in the order of the noise, for paired comparisons."""

    n: int = Field(ge=0)
    """How many samples there are."""
    bits: str
    """Yes or no for each, as `vdu_bench.bits` packs them."""

    @classmethod
    def of(cls, flags: NDArray[np.bool_]) -> Outcomes:
        """From bool ``[n]``."""
        return cls(n=len(flags), bits=pack(flags))

    @property
    def flags(self) -> NDArray[np.bool_]:
        """bool ``[n]``."""
        return unpack(self.bits, self.n)

    @property
    def count(self) -> int:
        """How many are yes."""
        return counted(self.bits, self.n)

    @model_validator(mode="after")
    def _whole(self) -> Outcomes:
        packed(self.bits, self.n)
        return self


class Matrix(Schema):
    """A table of numbers before and after, which no single number can stand for."""

    rows: list[str]
    """What each row is about."""
    columns: list[str]
    """What each column is about."""
    unit: str
    """Of all its numbers."""
    before: list[list[Number]]
    """The original model's, row by row."""
    after: list[list[Number]]
    """The method's."""

    @model_validator(mode="after")
    def _rectangular(self) -> Matrix:
        for numbers in (self.before, self.after):
            if len(numbers) != len(self.rows) or any(len(row) != len(self.columns) for row in numbers):
                raise ValueError(f"its numbers are not {len(self.rows)} rows of {len(self.columns)}")
        return self
