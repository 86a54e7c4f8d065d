"""One training step of every method on the meta device: a tensor left on the CPU is an error there, as on
a GPU, and so is a value that is asked for, which a GPU would be waited for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from prompted import context_of

from vdu_baselines.adv_unlearn import AdvUnlearn
from vdu_baselines.forget_me_not import ForgetMeNot
from vdu_bench.data.sources.digits import load_digits
from vdu_bench.methods.catalog import METHODS, make_method
from vdu_bench.methods.context import Replay, UnlearningContext
from vdu_bench.methods.method import LossMethod
from vdu_bench.models.pipelines.stable_diffusion_xl import StableDiffusionXL
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.models.posterior.gaussian import WeightPosterior
from vdu_bench.models.training.fitting import Fit

LOSS_METHODS = [name for name in METHODS.entries() if issubclass(METHODS.get(name), LossMethod)]
SMALL: dict[str, dict[str, Any]] = {
    "esd": {"x_t_steps": 2},
    "spm": {"x_t_steps": 2},
    "concept_ablation": {"images": 2},
    "adv_unlearn": {"images": 2, "preserve_batch": 2, "attack_steps": 2},
    "salun": {"mask_batches": 1},
    "selective_amnesia": {"replayed": 4, "fisher_samples": 1, "fisher_times": 2},
}
WITHOUT_PROMPTS = [name for name in LOSS_METHODS if "unconditional" in METHODS.get(name).supports]
WITH_PROMPTS = [
    *((name, SMALL.get(name, {})) for name in LOSS_METHODS if "text_to_image" in METHODS.get(name).supports),
    ("vdu", {"space": "parameter", "weighting": "elbo"}),
    ("vdu_contrast", {"condition": "concept", "gamma": 0.0}),
    ("esd", {"x_t": "frozen", "x_t_steps": 2, "from_concept": "anchor", "weights": "all_but_cross_attention"}),
    ("esd", {"x_t": "images", "weights": "all"}),
    ("erasediff", {"balance": "dynamic"}),
    ("selective_amnesia", {**SMALL["selective_amnesia"], "surrogate": "noise"}),
    ("concept_ablation", {"images": 2, "target": "noise", "hold": 1.0}),
    ("spm", {"x_t_steps": 2, "surrogate": "empty", "anchors": "random"}),
    ("forget_me_not", {"end": True, "weights": "all"}),
    ("adv_unlearn", {**SMALL["adv_unlearn"], "plain": 0.0}),
    ("adv_unlearn", {**SMALL["adv_unlearn"], "plain": 0.0, "trains": "denoiser"}),
    ("adv_unlearn", {"preserve_batch": 2, "x_t": "denoised", "x_t_steps": 2, "attack_steps": 1, "plain": 0.0}),
]


@pytest.fixture(autouse=True)
def _without_values(monkeypatch: pytest.MonkeyPatch) -> None:
    # What a meta tensor cannot have is a value: loops and samples before the step, and the floor's quantile, need one.
    monkeypatch.setattr("vdu_baselines.esd.fit", lambda *_, **__: None, raising=False)
    monkeypatch.setattr(WeightPosterior, "floored", lambda self, _: self)
    monkeypatch.setattr(UnlearningContext, "replay", replayed)


def replayed(context: UnlearningContext, n: int, prompts: Sequence[str] | None = None) -> Replay:
    """Nothing was sampled, but it lies where samples do."""
    base = context.base
    images = torch.zeros(n, *base.image_shape, dtype=torch.uint8)
    condition = base.condition(prompts)
    return Replay(images, base.encode(images), condition, None if prompts is None else list(prompts))


def posterior_of(model: UnconditionalDDPM | TextToImage) -> WeightPosterior:
    """On the CPU, as it comes from a file."""
    weights = {name: p.detach().clone() for name, p in model.denoiser.named_parameters()}
    return WeightPosterior(weights, {name: torch.ones_like(p) for name, p in weights.items()})


def step(method: LossMethod, model: UnconditionalDDPM | TextToImage, context: UnlearningContext) -> None:
    """The step, with all that it gave on the meta device."""
    trained = model.clone()
    for parameter in method.selection(trained).values():
        parameter.requires_grad_(True)
    method.start(trained, context)
    # The loop itself: a value that it asked for would be an error here, and a wait for a GPU.
    fit = Fit(method.parameters(trained), method.settings.model_copy(update={"steps": 2, "clip_norm": 1.0}))
    assert fit.advance(lambda _, backward: method.gradients(trained, context, backward)) == []
    loss = method.gradients(trained, context, lambda loss, **kept: loss.backward(**kept))
    assert loss.device.type == "meta"
    gradients = [p.grad for p in method.parameters(trained)]
    found = [gradient for gradient in gradients if gradient is not None]
    assert found
    # A loss of what is inside a network leaves what comes after that without one; XL reads its first text encoder
    # before that one's last layer.
    inside = isinstance(method, ForgetMeNot) or (
        isinstance(model, StableDiffusionXL) and isinstance(method, AdvUnlearn)
    )
    assert len(found) == len(gradients) or inside
    assert all(gradient.device.type == "meta" for gradient in found)


def test_there_are_methods_to_test() -> None:
    assert {"vdu", "vdu_contrast", "esd", "finetune", "gradient_ascent"} <= set(LOSS_METHODS)


@pytest.mark.parametrize("name", WITHOUT_PROMPTS)
def test_a_step_stays_on_the_device(name: str, tiny_model: UnconditionalDDPM) -> None:
    own = {} if name == "esd" else SMALL.get(name, {})
    method = make_method(name, own)
    assert isinstance(method, LossMethod)
    posterior = posterior_of(tiny_model)
    model = tiny_model.to("meta")
    context = UnlearningContext(
        model,
        load_digits().train,
        "1",
        "full",
        method.needs,
        0,
        posterior.only,
        lambda: pytest.fail("nobody asked for it"),
    )
    step(method, model, context)


@pytest.mark.parametrize(("name", "settings"), WITH_PROMPTS, ids=[f"{name} {own}" for name, own in WITH_PROMPTS])
def test_a_step_with_prompts_stays_on_the_device(
    name: str, settings: dict[str, Any], prompted_model: TextToImage
) -> None:
    method = make_method(name, {**settings, "batch_size": 4})
    assert isinstance(method, LossMethod)
    posterior = posterior_of(prompted_model)
    model = prompted_model.to("meta")
    step(method, model, context_of(model, method, posterior))


@pytest.mark.parametrize("name", ["uce", "rece"])
def test_a_closed_form_stays_on_the_device(name: str, prompted_model: TextToImage) -> None:
    method = make_method(name, {})
    model = prompted_model.to("meta")
    edited = method.unlearn(model, context_of(model, method))
    assert all(p.device.type == "meta" and p.dtype == model.dtype for p in edited.denoiser.parameters())
