"""What a task takes, against counts by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vdu_bench.reports.listings import description
from vdu_bench.tasks.cost import RATE, RATES, cost, drawn, trained
from vdu_bench.tasks.loading import find_task

GPU = Path(__file__).parents[2] / "results" / "gpu"


def test_a_cell_s_samples_are_counted_with_guidance_and_both_sets_of_prompts() -> None:
    assert drawn(find_task("mnist_1")) == 10_000 * 50
    assert drawn(find_task("celeba_hats")) == 2 * 1000 * 20 * 2


def test_a_training_is_steps_times_batch() -> None:
    recipe = find_task("mnist_8").recipe
    assert recipe is not None
    assert trained(recipe) == 12_000 * 128


@pytest.mark.parametrize(
    ("name", "said"),
    [
        # 1,536,000 images at 1,820 a second, 500,000 evaluations at 23,724.
        ("mnist_8", "an H200: 14 min for a model and 21 s for the samples of a cell, at measured rates (docs/gpu.md)"),
        ("cifar10_ship", "an H200: 75 s for the samples of a cell, at measured rates (docs/gpu.md)"),
        (
            "cifar10_ship_trained",
            "an H200: 16 h for a model and 75 s for the samples of a cell, at measured rates (docs/gpu.md)",
        ),
        ("mnist_1_small", RATE),
        ("celeba_hats", RATE),
    ],
)
def test_a_card_s_time_is_that_of_measured_rates_or_not_known(name: str, said: str) -> None:
    assert cost(find_task(name))["on a card"] == said


def test_rates_are_those_of_the_committed_run() -> None:
    rates = json.loads((GPU / "gpu.json").read_text())["phases"]["rates"]
    cifar, mnist = rates["cifar10_ship_trained__tf32"]["result"], rates["mnist_1__float32"]["result"]
    assert RATES[128, 256, 256, 256].trained == pytest.approx(cifar["training"]["ours_images_per_second"], rel=1e-3)
    assert RATES[128, 256, 256, 256].drawn == pytest.approx(20 * cifar["sampling"]["ours_images_per_second"], rel=1e-3)
    assert RATES[32, 64, 64, 64].drawn == pytest.approx(50 * mnist["sampling"]["ours_images_per_second"], rel=1e-3)
    eager = json.loads((GPU / "mnist_1_training.json").read_text())["eager"]
    assert RATES[32, 64, 64, 64].trained == pytest.approx(eager["images_per_second"], rel=1e-3)


def test_show_says_what_a_task_costs_and_that_no_rate_was_measured() -> None:
    said = description("digits_1")["cost"]
    assert said["training"] == "4 models of 384,000 forward and as many backward evaluations each"
    assert said["samples of a cell"] == "40,000 forward evaluations"
    assert said["on a card"] == RATE
    elsewhere = cost(find_task("cifar10_ship"))
    assert elsewhere["training"].startswith("none: the base is google/ddpm-cifar10-32")
