"""Whose evaluations depend on the seed, held against what is counted."""

from __future__ import annotations

import pytest
from prompted import context_of

from vdu_baselines.esd import ESD
from vdu_bench.methods.vdu import VDU
from vdu_bench.models.counting import EvaluationCounter
from vdu_bench.models.pipelines.text_to_image import TextToImage


@pytest.mark.parametrize("x_t", ["student", "frozen", "images"])
def test_esd_says_whether_its_evaluations_depend_on_the_seed(tiny_text_to_image: TextToImage, x_t: str) -> None:
    method = ESD(steps=2, batch_size=2, x_t_steps=20, x_t=x_t)
    counts = set()
    for seed in range(3):
        context = context_of(tiny_text_to_image, method)
        context.generator.manual_seed(seed)
        context.base.counter = EvaluationCounter()
        method.unlearn(context.base, context)
        counts.add(context.base.counter.forward)
    assert (len(counts) > 1) is method.evaluations_vary("text_to_image")


def test_others_take_the_same_number_with_each_seed() -> None:
    assert not ESD().evaluations_vary("unconditional")
    assert not VDU().evaluations_vary("text_to_image")
