"""What every spec has: no truth value stands for a number."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, ValidationError

from vdu_bench.spec import Spec


class Inner(Spec):
    rate: float = 0.1


class Several(Spec):
    steps: Annotated[int, Field(gt=0)] = 1
    rate: float | None = None
    count: int | Literal["all"] = "all"
    values: tuple[float, ...] = ()
    by_name: dict[str, int] | None = None
    switch: bool = False
    either: bool | int = 0
    anything: Any = None
    named: dict[str, Any] | None = None
    inner: Inner = Inner()


@pytest.mark.parametrize(
    "given",
    [
        {"steps": True},
        {"rate": False},
        {"count": True},
        {"values": [0.5, True]},
        {"by_name": {"a": True}},
        {"inner": {"rate": True}},
    ],
)
def test_a_truth_value_is_no_number(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="valid (integer|number)"):
        Several.model_validate(given)


@pytest.mark.parametrize(
    "given",
    [
        {"switch": True},
        {"either": True},
        {"anything": True},
        {"named": {"pretrained": True}},
        {"steps": 2, "rate": 1, "values": [1, 2.5], "inner": {"rate": 0}},
    ],
)
def test_truth_values_stay_where_they_may_stand(given: dict[str, Any]) -> None:
    spec = Several.model_validate(given)
    dumped = spec.model_dump()
    for name, value in given.items():
        assert dumped[name] == (tuple(value) if name == "values" else value)
