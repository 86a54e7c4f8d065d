"""How often the gate fails without a change, and how often it catches a loss. `pytest -s` prints what was measured."""

from __future__ import annotations

from typing import get_args

import pytest
from cells import cells
from gate_simulation import DIGITS, PORTRAITS, TOLERANCES, Change, Setting, failures, rate, with_

from vdu_bench.metrics.catalog import metric_facts
from vdu_bench.reports.gate.verdicts import compare

REPEATS = 400
"""4,000 for the tables in docs/protocol/gate.md."""

SETTINGS: dict[str, list[Setting]] = {
    "digits_1, 5 seeds": [with_(DIGITS, tasks=1)],
    "digits_1, 3 seeds": [with_(DIGITS, tasks=1, seeds=3)],
    "two digits, 5 seeds": [DIGITS],
    "faces_hats, 3 seeds": [with_(PORTRAITS, tasks=1)],
    "three portraits, 3 seeds": [PORTRAITS],
    "all five": [DIGITS, PORTRAITS],
}
UNCONDITIONAL, PROMPTED = "pul_strict/0/0/vdu", "pul_strict/1/0/vdu"
"""VDU's test in the first kind of task, and in the second."""


@pytest.mark.parametrize("change", get_args(Change))
@pytest.mark.parametrize("setting", SETTINGS)
def test_it_fails_about_5_percent_of_the_time_at_most_without_a_change(setting: str, change: Change) -> None:
    """Drawn anew, a method that destroys one model of three did so with no seed and now does with all: 1 % for each."""
    alarms = rate(failures(SETTINGS[setting], change, REPEATS))
    print(f"\nfalse alarms, {setting}, {change}: {alarms:.1f} %")
    assert alarms <= (6.0 if change == "drawn anew" else 5.0)


@pytest.mark.parametrize("method", ["vdu", "esd", "gradient_ascent"])
@pytest.mark.parametrize(("seeds", "most"), [(3, 8.0), (5, 5.0)])
@pytest.mark.parametrize("kind", [DIGITS, PORTRAITS], ids=["unconditional", "text-to-image"])
def test_one_method_drawn_anew_beside_others_that_are_the_same(
    kind: Setting, seeds: int, most: float, method: str
) -> None:
    """It has nobody to lean on, and three seeds are few."""
    name = "digits" if kind is DIGITS else "portraits"
    alarms = rate(failures([with_(kind, tasks=1, seeds=seeds)], "drawn anew", REPEATS, only=method))
    print(f"\nfalse alarms, {name}, {method} alone drawn anew, {seeds} seeds: {alarms:.1f} %")
    assert alarms <= most


@pytest.mark.parametrize("change", ["last bits", "other noise"])
@pytest.mark.parametrize("kind", [DIGITS, PORTRAITS], ids=["unconditional", "text-to-image"])
def test_with_one_seed_the_rates_are_as_calibrated(kind: Setting, change: Change) -> None:
    """The other metrics of a single seed are held to the tolerance alone, and so want the same noise."""
    alarms = rate(failures([with_(kind, tasks=1, seeds=1)], change, REPEATS, alone=True))
    print(f"\nfalse alarms, 1 seed, rates alone, {change}: {alarms:.1f} %")
    assert alarms <= 5.0


@pytest.mark.parametrize("change", ["last bits", "other noise"])
@pytest.mark.parametrize("setting", SETTINGS)
def test_it_catches_15_points_of_pul_strict(setting: str, change: Change) -> None:
    found = failures(SETTINGS[setting], change, REPEATS, {"pul": 0.15})
    for name in (UNCONDITIONAL, PROMPTED)[: len(SETTINGS[setting])]:
        caught = 100 * found[name].mean()
        print(f"\na loss of 15 points of pul_strict caught, {setting}, {change}, {name}: {caught:.1f} %")
        # With other noise the samples are no pairs, and three seeds of digits have 540 that could lose something.
        assert caught >= (60 if (setting, change) == ("digits_1, 3 seeds", "other noise") else 88)


@pytest.mark.parametrize("setting", ["two digits, 5 seeds", "three portraits, 3 seeds"])
def test_testing_pul_beside_pul_strict_costs_next_to_no_power(setting: str) -> None:
    """Which is why it is tested too: images that were junk and show the concept again cost `pul` alone."""
    both, alone = (
        failures(SETTINGS[setting], "other noise", REPEATS, {"pul": 0.15}, without)[UNCONDITIONAL].mean()
        for without in ((), ("pul",))
    )
    print(f"\n{setting}: {100 * both:.1f} % of losses of pul_strict caught, {100 * alone:.1f} % if pul is not tested")
    assert both >= alone - 0.02


def test_one_method_that_breaks_down_hides_nobodys_loss_on_the_same_noise() -> None:
    found = failures([PORTRAITS], "last bits", REPEATS, {"fd_judge": 0.3, "pul": 0.15})
    assert found["fd_judge/0/0/vdu"].mean() >= 0.9


def test_the_simulated_tolerances_are_the_metrics_own() -> None:
    assert {name: metric_facts(name).tolerance for name in TOLERANCES} == TOLERANCES


def test_whole_records_fail_and_are_caught_as_simulated() -> None:
    """From records with outcomes to the verdict, for fewer repetitions. Draws differ in their noise."""
    pairs = [(cells(draw=2 * i), cells(draw=2 * i + 1), cells({"vdu": 0.35}, draw=2 * i)) for i in range(40)]
    alarms = sum(not compare(old, new).passed for old, new, _ in pairs)
    caught = sum("vdu" in {v.method for v in compare(old, worse).of_kind("worse")} for old, _, worse in pairs)
    assert alarms <= 2
    assert caught >= 38
