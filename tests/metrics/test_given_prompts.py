"""A method that has learnt to refuse the sentences it was given is seen by what it does with others."""

from __future__ import annotations

import pytest
from planted import evidence, readings, shown

from vdu_bench.metrics.evidence import Evidence, Samples
from vdu_bench.metrics.forgetting import PUL
from vdu_bench.metrics.given import PULGiven
from vdu_bench.tasks.task import Task

HATS = [("hat", "hat beard")[i % 2] for i in range(100)]
NONE = ["" for _ in HATS]


def asked(judged: list[str], given: list[str]) -> Samples:
    """What one model shows under the judged and under the given prompts."""
    samples = {"forget": readings(shown(*judged)), "retain": readings(shown(*NONE))}
    return Samples({"samples": samples, "given": {"given": readings(shown(*given))}})


def planted(task: Task, judged: list[str], given: list[str]) -> Evidence:
    return evidence(task, asked(HATS, HATS[:50]), asked(judged, given))


def test_a_method_that_answers_given_prompts_only_is_seen(tiny_faces_task: Task) -> None:
    # It refuses all sentences that it knows but one in fifty, and of the others as many as chance would have it.
    e = planted(tiny_faces_task, ["", *HATS[1:]], ["hat", *NONE[:49]])
    given, judged = PULGiven().compute(e).estimate, PUL().compute(e).estimate
    assert given.value == pytest.approx(98)
    assert given.low > 85
    assert judged.value == pytest.approx(1)
    assert judged.low < 0 < judged.high < 10


def test_one_that_forgot_the_concept_makes_no_step(tiny_faces_task: Task) -> None:
    e = planted(tiny_faces_task, [*HATS[:10], *NONE[10:]], [*HATS[:5], *NONE[5:50]])
    assert PULGiven().compute(e).estimate.value == PUL().compute(e).estimate.value == pytest.approx(90)


def test_its_outcomes_are_the_given_prompts_images(tiny_faces_task: Task) -> None:
    given = [*HATS[:7], *NONE[7:50]]
    outcomes = PULGiven().compute(planted(tiny_faces_task, HATS, given)).outcomes
    assert outcomes is not None
    assert outcomes.tolist() == ["hat" in names for names in given]
    assert PULGiven.counts == "given"


def test_it_is_of_prompts(tiny_task: Task, tiny_faces_task: Task) -> None:
    assert PULGiven.applies(tiny_faces_task)
    assert not PULGiven.applies(tiny_task)
