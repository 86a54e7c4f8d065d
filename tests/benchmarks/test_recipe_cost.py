"""The arithmetic of a recipe, against counts by hand, and that the document shows what the command makes."""

from __future__ import annotations

from pathlib import Path

import pytest
from recipe_cost import cost_of, rate, table

from vdu_bench.models.specs import ModelRecipe
from vdu_bench.tasks.loading import find_task
from vdu_bench.tasks.task import Task

DOCUMENT = Path(__file__).parents[2] / "docs" / "gpu.md"


def recipe_of(name: str) -> ModelRecipe:
    recipe = find_task(name).recipe
    assert recipe is not None
    return recipe


def test_operations_are_those_of_three_evaluations_of_every_image() -> None:
    recipe = recipe_of("mnist_1")
    cost = cost_of(recipe, models=3, teraflops=10, step_ms=20)
    assert cost.evaluations == 12_000 * 128
    assert cost.operations == 3 * 3 * cost.evaluations * cost.forward
    assert cost.at_rate == pytest.approx(cost.operations / 10e12)
    assert cost.at_steps == pytest.approx(12_000 * 0.020)
    assert cost.seconds == max(cost.at_rate, cost.at_steps)


def test_a_convolution_counts_product_and_sum() -> None:
    recipe = recipe_of("mnist_1")
    whole = cost_of(recipe, 1).forward
    smaller = recipe.model_copy(update={"denoiser": {**recipe.denoiser, "in_channels": 2, "out_channels": 1}})
    # One more channel into the first convolution, 3x3, of 32 channels and 32x32 places.
    assert cost_of(smaller, 1).forward - whole == 2 * 9 * 32 * 32 * 32


@pytest.mark.parametrize("name", ["mnist_1", "mnist_8", "fashion_mnist_trouser"])
def test_full_scale_is_under_an_hour_of_a_card(name: str) -> None:
    assert cost_of(recipe_of(name), models=3).seconds < 3600


def test_the_document_shows_what_the_command_makes() -> None:
    assert table(cost_of(recipe_of("mnist_1"), 3), 3) in DOCUMENT.read_text()


def test_a_rate_is_that_of_the_recipe_s_own_training(tiny_task: Task) -> None:
    found = rate(tiny_task, 20, "cpu", None)
    assert (found["steps"], found["batch"]) == (20, 16)
    assert found["images_per_second"] == pytest.approx(20 * 16 / float(found["seconds"]))
    assert float(found["last_loss"]) < float(found["first_loss"])
