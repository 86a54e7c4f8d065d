"""What a task takes, against counts by hand."""

from __future__ import annotations

from vdu_bench.reports.listings import description
from vdu_bench.tasks.cost import RATE, cost, drawn, trained
from vdu_bench.tasks.loading import find_task


def test_a_cell_s_samples_are_counted_with_guidance_and_both_sets_of_prompts() -> None:
    assert drawn(find_task("mnist_1")) == 10_000 * 50
    assert drawn(find_task("celeba_hats")) == 2 * 1000 * 20 * 2


def test_a_training_is_steps_times_batch() -> None:
    recipe = find_task("mnist_8").recipe
    assert recipe is not None
    assert trained(recipe) == 1_920_000


def test_show_says_what_a_task_costs_and_that_no_rate_was_measured() -> None:
    said = description("digits_1")["cost"]
    assert said["training"] == "4 models of 384,000 forward and as many backward evaluations each"
    assert said["samples of a cell"] == "40,000 forward evaluations"
    assert said["on a card"] == RATE
    elsewhere = cost(find_task("cifar10_ship"))
    assert elsewhere["training"].startswith("none: the base is google/ddpm-cifar10-32")
