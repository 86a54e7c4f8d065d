from __future__ import annotations

from pathlib import Path

import pytest
import torch

from vdu_bench.data.sources.digits import load_digits
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.models.specs import ModelRecipe, SnapshotPosterior
from vdu_bench.models.training import resuming
from vdu_bench.models.training.base_model import snapshot_steps, train
from vdu_bench.models.training.fitting import Fit
from vdu_bench.models.training.shown import Pixels

KEPT = [SnapshotPosterior(source="snapshots", snapshots=n) for n in (2, 4, 10)]


class Killed(Exception):
    """Stands for a kill at a step."""


def run(recipe: ModelRecipe, checkpoints: Path | None, kill_at: int | None = None):
    def on_step(step: int, _loss: float) -> None:
        if step == kill_at:
            raise Killed

    model = UnconditionalDDPM.from_recipe(recipe)
    data = Pixels(model, load_digits().train)
    posteriors, log = train(model, data, recipe.training, checkpoints, on_step, posteriors=KEPT)
    return list(model.denoiser.parameters()), posteriors, log


@pytest.mark.parametrize("kill_at", [0, 7, 16, 28])
def test_resumes_bit_for_bit_after_a_kill_at_any_step(
    tiny_recipe: ModelRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kill_at: int
) -> None:
    monkeypatch.setattr(resuming, "CHECKPOINT_SECONDS", 0.0)
    weights, posteriors, log = run(tiny_recipe, None)
    with pytest.raises(Killed):
        run(tiny_recipe, tmp_path, kill_at)
    steps = []
    monkeypatch.setattr(Fit, "advance", _noting(Fit.advance, steps))
    again, posteriors_again, log_again = run(tiny_recipe, tmp_path)
    assert len(steps) == tiny_recipe.training.steps - kill_at - 1
    assert all(torch.equal(a, b) for a, b in zip(weights, again, strict=True))
    assert list(posteriors) == list(posteriors_again) == KEPT
    for one, other in zip(posteriors.values(), posteriors_again.values(), strict=True):
        assert all(torch.equal(one.std[name], other.std[name]) for name in one.std)
        assert all(torch.equal(one.mean[name], other.mean[name]) for name in one.mean)
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


def test_snapshots_are_evenly_spaced_and_end_with_the_training() -> None:
    assert sorted(snapshot_steps(1000, SnapshotPosterior(source="snapshots"))) == list(range(550, 1001, 50))
    late = SnapshotPosterior(source="snapshots", snapshots=2, snapshots_from=0.8)
    assert sorted(snapshot_steps(1000, late)) == [900, 1000]


def test_posteriors_of_one_training_are_those_of_its_snapshots(tiny_recipe: ModelRecipe) -> None:
    model = UnconditionalDDPM.from_recipe(tiny_recipe)
    kept = {}

    def on_step(step: int, _loss: float) -> None:
        kept[step + 1] = {name: p.detach().double().clone() for name, p in model.denoiser.named_parameters()}

    data = Pixels(model, load_digits().train)
    posteriors, _ = train(model, data, tiny_recipe.training, None, on_step, posteriors=KEPT)
    for posterior, found in posteriors.items():
        steps = sorted(snapshot_steps(tiny_recipe.training.steps, posterior))
        assert len(steps) == posterior.snapshots
        for name in found.std:
            values = torch.stack([kept[step][name] for step in steps])
            torch.testing.assert_close(found.mean[name], values.mean(0).float())
            torch.testing.assert_close(found.std[name], values.std(0).float())


def test_a_training_that_is_too_short_gives_no_posterior(tiny_recipe: ModelRecipe) -> None:
    short = tiny_recipe.model_copy(update={"training": tiny_recipe.training.model_copy(update={"steps": 1})})
    assert run(short, None)[1] == {}
