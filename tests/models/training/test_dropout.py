"""Dropout draws from torch's global generator: by the recipe's or the method's seed, whatever that one's state."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import vdu_bench.models.training.resuming
from vdu_bench.data.sources.digits import load_digits
from vdu_bench.methods.catalog import make_method
from vdu_bench.methods.context import UnlearningContext
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.models.posterior.gaussian import WeightPosterior
from vdu_bench.models.specs import ModelRecipe, SamplerSpec
from vdu_bench.models.training.base_model import train
from vdu_bench.models.training.dropout import seeded_dropout, without_dropout
from vdu_bench.models.training.shown import Pixels


@pytest.fixture
def recipe(tiny_recipe: ModelRecipe) -> ModelRecipe:
    training = tiny_recipe.training.model_copy(update={"steps": 6})
    denoiser = {**tiny_recipe.denoiser, "dropout": 0.3}
    return tiny_recipe.model_copy(update={"denoiser": denoiser, "training": training})


def flat(model: UnconditionalDDPM) -> Tensor:
    return torch.cat([p.detach().flatten() for p in model.denoiser.parameters()])


def trained(recipe: ModelRecipe, state: int, checkpoints: Path | None = None) -> Tensor:
    torch.manual_seed(state)
    model = UnconditionalDDPM.from_recipe(recipe)
    train(model, Pixels(model, load_digits().train), recipe.training, checkpoints)
    return flat(model)


def test_the_global_generator_is_set_aside() -> None:
    network, ones = nn.Dropout(0.5), torch.ones(100)
    network.weight = nn.Parameter(torch.ones(1))
    state = torch.get_rng_state()
    with seeded_dropout(network, 1):
        one = network(ones)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(7)
    with seeded_dropout(network, 1):
        assert torch.equal(network(ones), one)
    with seeded_dropout(network, 2):
        assert not torch.equal(network(ones), one)


def test_training_is_the_recipe_s_alone(recipe: ModelRecipe) -> None:
    assert torch.equal(trained(recipe, 1), trained(recipe, 2))
    other = recipe.model_copy(update={"denoiser": {**recipe.denoiser, "dropout": 0.0}})
    assert not torch.equal(trained(recipe, 1), trained(other, 1)), "there is dropout"


def test_training_that_was_cut_off_goes_on_bit_for_bit(
    recipe: ModelRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = trained(recipe, 1)
    monkeypatch.setattr(vdu_bench.models.training.resuming, "CHECKPOINT_SECONDS", -1.0)
    calls = iter(range(100))
    advance = vdu_bench.models.training.resuming.Fit.advance

    def cut_off(self: object, loss: Tensor) -> float:
        if next(calls) == 3:
            # Not by a signal, which a shell's background processes ignore.
            raise KeyboardInterrupt
        return advance(self, loss)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(vdu_bench.models.training.resuming.Fit, "advance", cut_off)
        with pytest.raises(KeyboardInterrupt):
            trained(recipe, 1, tmp_path)
    assert torch.equal(trained(recipe, 3, tmp_path), whole)


BEFORE = {
    "esd": {"concept_steps": 2},
    "salun": {"mask_batches": 2},
    "selective_amnesia": {"replayed": 2, "fisher_samples": 2, "fisher_times": 2},
}
"""What methods do before the first step, small."""


@pytest.mark.parametrize("name", ["finetune", "gradient_ascent", "vdu", "siss", *BEFORE])
def test_unlearning_is_the_method_s_seed_alone(name: str, recipe: ModelRecipe) -> None:
    settings = {"steps": 2, "batch_size": 4, **BEFORE.get(name, {})}

    def unlearned(state: int) -> Tensor:
        torch.manual_seed(state)
        method, base = make_method(name, settings), UnconditionalDDPM.from_recipe(recipe).freeze()
        weights = dict(base.denoiser.named_parameters())
        posterior = WeightPosterior(
            {key: p.detach().clone() for key, p in weights.items()},
            {key: torch.full_like(p, 0.1) for key, p in weights.items()},
        )
        train_set = load_digits().train
        context = UnlearningContext(
            base,
            train_set,
            "1",
            "full",
            method.needs,
            0,
            posterior.only,
            lambda: pytest.fail("nobody asked for it"),
            sampler=SamplerSpec(steps=2),
        )
        return flat(method.unlearn(base, context))

    assert torch.equal(unlearned(1), unlearned(2))


def test_without_dropout_a_network_is_as_it_samples_and_then_as_it_was() -> None:
    network, ones = nn.Sequential(nn.Dropout(0.5)), torch.ones(100)
    network.train()
    with without_dropout(network):
        assert torch.equal(network(ones), ones)
    assert network.training
    assert network[0].training


def test_a_network_that_has_no_dropout_stays_in_its_mode() -> None:
    network = nn.Sequential(nn.Dropout(0.0)).train()
    with without_dropout(network):
        assert network.training
