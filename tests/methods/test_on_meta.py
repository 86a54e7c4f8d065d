"""One training step of every method on the meta device: a tensor left on the CPU is an error there, as on a GPU."""

from __future__ import annotations

import pytest
import torch

from vdu_bench.data.digits import load_digits
from vdu_bench.methods.catalog import METHODS, make_method
from vdu_bench.methods.context import UnlearningContext
from vdu_bench.methods.method import LossMethod
from vdu_bench.models.posterior import WeightPosterior
from vdu_bench.models.unconditional import UnconditionalDDPM

LOSS_METHODS = [name for name in METHODS.entries() if issubclass(METHODS.get(name), LossMethod)]


def test_there_are_methods_to_test() -> None:
    assert {"vdu", "esd", "finetune", "gradient_ascent"} <= set(LOSS_METHODS)


@pytest.mark.parametrize("name", LOSS_METHODS)
def test_a_step_stays_on_the_device(name: str, tiny_model: UnconditionalDDPM, monkeypatch: pytest.MonkeyPatch) -> None:
    method = make_method(name, {})
    # What a meta tensor cannot have is a value: the loops before the step, and the floor's quantile, need one.
    monkeypatch.setattr("vdu_baselines.esd.fit", lambda *_, **__: None, raising=False)
    monkeypatch.setattr(WeightPosterior, "floored", lambda self, _: self)
    weights = dict(tiny_model.denoiser.named_parameters())
    posterior = WeightPosterior(
        {key: p.detach().clone() for key, p in weights.items()}, {key: torch.ones_like(p) for key, p in weights.items()}
    )
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
    trained = model.clone()
    trained.denoiser.requires_grad_(True)
    method.start(trained, context)
    loss = method.loss(trained, context)
    loss.backward()
    assert loss.device.type == "meta"
    gradients = [p.grad for p in method.parameters(trained)]
    assert gradients
    assert all(gradient is not None and gradient.device.type == "meta" for gradient in gradients)
