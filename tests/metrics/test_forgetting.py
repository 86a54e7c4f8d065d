"""PUL that gives no credit for junk."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cells import cells, result
from numpy.typing import NDArray
from planted import evidence, sampled

from vdu_bench.measured import Outcomes
from vdu_bench.metrics.evidence import Readings
from vdu_bench.metrics.forgetting import PUL, PULStrict
from vdu_bench.metrics.metric import Measurement
from vdu_bench.records import Record
from vdu_bench.reports.gate.verdicts import compare
from vdu_bench.reports.tables.leaderboard import leaderboards
from vdu_bench.tasks.task import Task

Flags = NDArray[np.bool_]
HAT = 1


def readings(hits: Flags, junk: Flags) -> Readings:
    shown = torch.zeros(len(hits), 5, dtype=torch.bool)
    shown[:, HAT] = torch.from_numpy(hits)
    return Readings(shown, torch.zeros(len(hits), 4), torch.from_numpy(junk), lambda: torch.zeros(0))


def both(task: Task, before: tuple[Flags, Flags], after: tuple[Flags, Flags]) -> tuple[Measurement, Measurement]:
    """Strict PUL and PUL of hits and junk on either side."""
    first, second = readings(*before), readings(*after)
    found = evidence(task, sampled(first, first), sampled(second, second))
    return PULStrict().compute(found), PUL().compute(found)


def flags(text: str) -> Flags:
    return np.array([letter == "1" for letter in text.replace(" ", "")])


def test_a_case_by_hand(tiny_faces_task: Task) -> None:
    strict, plain = both(
        tiny_faces_task,
        (flags("1111 1000 00"), flags("0000 0001 00")),
        # n_after: the first, which is junk that shows it, and the sixth, which did not give it before. j: the second
        # and the third; the ninth is junk of a noise that did not give it.
        (flags("1000 0100 00"), flags("1110 0000 10")),
    )
    assert strict.estimate.value == pytest.approx(100 * (1 - (2 + 2) / 5))
    assert plain.estimate.value == pytest.approx(100 * (1 - 2 / 5))
    assert strict.outcomes is not None
    assert strict.outcomes.tolist() == flags("1110010000").tolist()
    assert strict.estimate.n == 10


def test_all_junk_has_forgotten_nothing(tiny_faces_task: Task) -> None:
    rng = np.random.default_rng(0)
    before = (rng.random(400) < 0.3, rng.random(400) < 0.02)
    none, all_ = np.zeros(400, dtype=bool), np.ones(400, dtype=bool)
    strict, plain = both(tiny_faces_task, before, (none, all_))
    assert (strict.estimate.value, plain.estimate.value) == (0, 100)
    # What junk shows of it counts as well.
    strict, _ = both(tiny_faces_task, before, (rng.random(400) < 0.05, all_))
    assert strict.estimate.value < 0


def test_without_junk_it_is_pul(tiny_faces_task: Task) -> None:
    rng = np.random.default_rng(0)
    none = np.zeros(400, dtype=bool)
    strict, plain = both(tiny_faces_task, (rng.random(400) < 0.3, none), (rng.random(400) < 0.1, none))
    assert strict.estimate == plain.estimate


def test_the_original_has_zero_whatever_junk_it_makes(tiny_faces_task: Task) -> None:
    rng = np.random.default_rng(0)
    side = (rng.random(400) < 0.3, rng.random(400) < 0.2)
    strict, plain = both(tiny_faces_task, side, side)
    assert strict.estimate.value == plain.estimate.value == 0
    assert strict.outcomes is not None
    assert np.array_equal(strict.outcomes, side[0]), "what the gate and the tables count a method's outcomes against"


def test_a_base_of_another_seed_forgot_nothing(tiny_faces_task: Task) -> None:
    """Its samples are others, of the same noise: neither side tells of the other, and the rates are the same."""
    rng = np.random.default_rng(0)
    rate, junk, n, repeats = 0.1, 0.02, 2000, 200
    values, covered = [], 0
    for _ in range(repeats):
        sides = [(rng.random(n) < rate, rng.random(n) < junk) for _ in range(2)]
        estimate = both(tiny_faces_task, sides[0], sides[1])[0].estimate
        values.append(estimate.value)
        covered += estimate.low <= 0 <= estimate.high
    # A few points below 0, since its junk falls on noises that gave the concept, as on others; 1 / n_before as well.
    expected = 100 * (1 - (rate + rate * (1 - rate) * junk) / rate * (1 + (1 - rate) / (rate * n)))
    error = np.std(values) / np.sqrt(repeats)
    assert np.mean(values) == pytest.approx(expected, abs=3 * error)
    assert expected == pytest.approx(-2.3, abs=0.1)
    assert covered / repeats > 0.92


def with_strict(records: list[Record], junk_of_vdu: float) -> list[Record]:
    """Cells with strict PUL, vdu's junk being of that share; what is junk with less is junk with more."""
    bases = {record.seeds.sample: record.outcomes["forget"].flags for record in records if record.method == "original"}
    for record in records:
        base, hits = bases[record.seeds.sample], record.outcomes["forget"].flags
        rank = np.random.default_rng([7, record.seeds.sample, 1]).random(len(hits))
        strict = hits | (base & (rank < (junk_of_vdu if record.method == "vdu" else 0.03)))
        if record.method == "original":
            strict = hits
        record.outcomes["strict"] = Outcomes.of(strict)
        record.metrics["pul_strict"] = result("pul_strict", 100 * (1 - strict.sum() / base.sum()))
    return records


def test_junk_in_place_of_the_concept_fails_the_gate_by_it_alone() -> None:
    found = compare(with_strict(cells(seeds=range(5)), 0.03), with_strict(cells(seeds=range(5)), 0.25))
    (loss,) = found.of_kind("worse")
    assert (loss.method, loss.metric) == ("vdu", "pul_strict")
    assert loss.loss == pytest.approx(100 * 0.8 * 0.22, abs=3)
    assert loss.p_value < 1e-6
    assert not compare(*(with_strict(cells(seeds=range(5)), 0.03) for _ in range(2))).of_kind("worse")


def test_the_best_of_a_column_is_found_over_the_noise() -> None:
    records = with_strict(cells(seeds=range(5)), 0.25)
    (board,) = leaderboards(records)
    group = board.best["pul_strict"]
    # By PUL vdu is ahead of esd.
    assert (group.test, group.best, group.tied) == ("noise", "esd", frozenset())
    assert [column.name for column in board.on_axis("forgetting")] == ["pul_strict", "pul"]
