from __future__ import annotations

import pytest
import torch

from vdu_baselines.esd import ESD
from vdu_baselines.finetune import Finetune
from vdu_baselines.gradient_ascent import GradientAscent
from vdu_bench.data.sources.digits import load_digits
from vdu_bench.errors import Diverged
from vdu_bench.methods.context import UnlearningContext
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.models.training.base_model import denoising_loss

TRAIN = load_digits().train


def context(model, method) -> UnlearningContext:
    return UnlearningContext(
        model,
        TRAIN,
        "1",
        "full",
        method.needs,
        0,
        lambda _: pytest.fail("nobody asked for it"),
        lambda: pytest.fail("nobody asked for it"),
    )


def error(model: UnconditionalDDPM, forget: bool) -> float:
    shown = TRAIN.shows("1")
    images = TRAIN.images[shown if forget else ~shown][:100]
    with torch.no_grad():
        return float(denoising_loss(model, model.encode(images), None, torch.Generator().manual_seed(9)))


def test_finetuning_lowers_the_error_on_retained_images(tiny_model: UnconditionalDDPM) -> None:
    method = Finetune(Finetune.Settings(steps=20, learning_rate=2e-3))
    tuned = method.unlearn(tiny_model, context(tiny_model, method))
    assert error(tuned, forget=False) < 0.8 * error(tiny_model, forget=False)


def test_ascent_raises_the_error_on_forget_images(tiny_model: UnconditionalDDPM) -> None:
    method = GradientAscent(GradientAscent.Settings(steps=10, learning_rate=1e-3))
    risen = method.unlearn(tiny_model, context(tiny_model, method))
    assert error(risen, forget=True) > 1.2 * error(tiny_model, forget=True)


def test_ascent_on_nan_diverges(tiny_model: UnconditionalDDPM) -> None:
    next(tiny_model.denoiser.parameters()).fill_(float("nan"))
    method = GradientAscent(GradientAscent.Settings(steps=1))
    with pytest.raises(Diverged):
        method.unlearn(tiny_model, context(tiny_model, method))


def test_esd_s_target_is_the_formula(tiny_model: UnconditionalDDPM) -> None:
    method = ESD(ESD.Settings(eta=3.0, concept_steps=2, batch_size=4))
    trained = tiny_model.clone()
    trained.denoiser.requires_grad_(True)
    method.start(trained, context(tiny_model, method))
    c = context(tiny_model, method)
    loss = method.loss(trained, c)
    replay = context(tiny_model, method)
    x0 = replay.forget.batch(4).x0
    t = replay.timesteps(4)
    x_t = trained.add_noise(x0, replay.noise_like(x0), t)
    base, concept = tiny_model.predict_noise(x_t, t), method._concept.predict_noise(x_t, t)
    assert not torch.equal(base, concept)
    # At the start eps_theta is eps_base, so what is left is eta (eps_c - eps_base).
    expected = (3.0 * (concept - base)).square().mean()
    torch.testing.assert_close(loss, expected, rtol=1e-4, atol=0)


def test_esd_counts_the_concept_s_training_and_its_frozen_passes(tiny_model: UnconditionalDDPM) -> None:
    method = ESD(ESD.Settings(steps=3, concept_steps=2, batch_size=4))
    method.unlearn(tiny_model, context(tiny_model, method))
    assert tiny_model.counter.backward == (3 + 2) * 4
    assert tiny_model.counter.forward == 2 * 4 + 3 * 3 * 4
