from __future__ import annotations

import pytest

from vdu_bench.errors import UserError
from vdu_bench.reports.gate.tolerances import Tolerance, parse_tolerances

KNOWN = ("pul", "fd_judge")


def test_a_percent_sign_makes_it_a_share_of_the_reference() -> None:
    found = parse_tolerances(["fd_judge=5%", "pul = 1.5"], KNOWN)
    assert found == {"fd_judge": Tolerance(5.0, relative=True), "pul": Tolerance(1.5)}
    assert found["fd_judge"].of(-20.0) == pytest.approx(1.0)
    assert found["pul"].of(80.0) == 1.5
    assert [str(tolerance) for tolerance in found.values()] == ["5%", "1.5"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["fd_judge"], "write METRIC=NUMBER"),
        (["=5"], "write METRIC=NUMBER"),
        (["fd_judge=five"], "'five' is not a number from 0 up"),
        (["fd_judge=-1"], "'-1' is not a number from 0 up"),
        (["fd_judge=nan%"], "'nan' is not a number from 0 up"),
        (["fd_juge=5"], "did you mean 'fd_judge'"),
        (["pul=1", "pul=2"], "twice"),
    ],
)
def test_what_is_none_is_named(given: list[str], words: str) -> None:
    with pytest.raises(UserError, match=words) as mistake:
        parse_tolerances(given, KNOWN)
    assert "\n" not in str(mistake.value)
