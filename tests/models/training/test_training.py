from __future__ import annotations

from pathlib import Path

import pytest
import torch

from vdu_bench.data.sources.digits import load_digits
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.models.specs import ModelRecipe
from vdu_bench.models.training import resuming
from vdu_bench.models.training.base_model import snapshot_steps, train
from vdu_bench.models.training.fitting import Fit
from vdu_bench.models.training.shown import Pixels


class Killed(Exception):
    """Stands for a kill at a step."""


def run(recipe: ModelRecipe, checkpoints: Path | None, kill_at: int | None = None):
    def on_step(step: int, _loss: float) -> None:
        if step == kill_at:
            raise Killed

    model = UnconditionalDDPM.from_recipe(recipe)
    posterior, log = train(model, Pixels(model, load_digits().train), recipe.training, checkpoints, on_step)
    return list(model.denoiser.parameters()), posterior, log


@pytest.mark.parametrize("kill_at", [0, 7, 16, 28])
def test_resumes_bit_for_bit_after_a_kill_at_any_step(
    tiny_recipe: ModelRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kill_at: int
) -> None:
    monkeypatch.setattr(resuming, "CHECKPOINT_SECONDS", 0.0)
    weights, posterior, log = run(tiny_recipe, None)
    with pytest.raises(Killed):
        run(tiny_recipe, tmp_path, kill_at)
    steps = []
    monkeypatch.setattr(Fit, "advance", _noting(Fit.advance, steps))
    again, posterior_again, log_again = run(tiny_recipe, tmp_path)
    assert len(steps) == tiny_recipe.training.steps - kill_at - 1
    assert all(torch.equal(a, b) for a, b in zip(weights, again, strict=True))
    assert all(torch.equal(posterior.std[name], posterior_again.std[name]) for name in posterior.std)
    assert log.losses == log_again.losses


def _noting(advance, steps):
    def noted(self, loss):
        steps.append(self.step)
        return advance(self, loss)

    return noted


def test_training_learns(tiny_recipe: ModelRecipe) -> None:
    _, _, log = run(tiny_recipe, None)
    assert log.losses[-1] < 0.6 * log.losses[0]
    assert log.forward == log.backward == 30 * 16
    assert log.images == 480


def test_snapshots_are_evenly_spaced_and_end_with_the_training(tiny_recipe: ModelRecipe) -> None:
    steps = snapshot_steps(tiny_recipe.training.model_copy(update={"steps": 1000, "snapshots": 10}))
    assert sorted(steps) == list(range(550, 1001, 50))
