"""SPM: its adapters against a convolution, its loss by hand, and what is folded in."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from prompted import PRESERVING, context_of
from torch import Tensor
from torch.nn.functional import conv2d

from vdu_baselines.spm import SPM, OneDimensional
from vdu_bench.errors import UserError
from vdu_bench.methods.context import UnlearningContext
from vdu_bench.models.counting import EvaluationCounter
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.pipelines.text_to_image import TextToImage

ETA, DRIFT = 2.5, 3.0
QUICK: dict[str, Any] = {"batch_size": 2, "steps": 2, "x_t_steps": 2}


def weights(model: DiffusionModel) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in model.denoiser.named_parameters()}


def test_an_adapter_is_a_layer_of_one_channel_beside_the_other() -> None:
    generator = torch.Generator().manual_seed(0)
    weight, x = torch.randn(5, 3, 3, 3, generator=generator), torch.randn(2, 3, 6, 6, generator=generator)
    adapter = OneDimensional(weight, generator)
    assert torch.equal(adapter(weight), weight), "at first it changes nothing"
    assert 0 < float(adapter.down.detach().abs().max()) <= 27**-0.5
    with torch.no_grad():
        adapter.up.copy_(torch.randn(5, generator=generator))
    adapter.strength = 0.7
    beside = conv2d(conv2d(x, adapter.down[None], padding=1), adapter.up[:, None, None, None])
    expected = conv2d(x, weight, padding=1) + 0.7 * beside
    torch.testing.assert_close(conv2d(x, adapter(weight), padding=1), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_what_is_folded_in_has_rank_one_and_at_strength_0_the_base_is_bit_equal(
    tiny_text_to_image: TextToImage, strength: float
) -> None:
    base = tiny_text_to_image
    # The sign of a zero is a bit, too.
    base.denoiser.conv_in.weight.data[0, 0, 0, 0] = -0.0
    before, method = weights(base), SPM(strength=strength, **QUICK)
    context = context_of(base, method)
    after = weights(method.unlearn(base, context))
    assert set(after) == set(before)
    assert all(bool(adapter.up.abs().max() > 0) for adapter in method._adapters), "they were trained"
    layers = {name for name, weight in before.items() if weight.ndim > 1}
    assert len(layers) == len(method._adapters)
    for name, weight in after.items():
        if strength == 0 or name not in layers:
            assert torch.equal(weight.view(torch.int32), before[name].view(torch.int32))
        else:
            values = torch.linalg.svdvals((weight - before[name]).double().flatten(1))
            assert float(values[0]) > 0
            assert float(values[1:].max()) < 1e-2 * float(values[0])
    assert all(torch.equal(p, before[name]) for name, p in base.denoiser.named_parameters())
    ledger = context.ledger()
    assert (ledger.prompts, ledger.images, ledger.replayed) == (True, 0, 0)


def started(base: TextToImage, **settings: Any) -> tuple[SPM, UnlearningContext, TextToImage]:
    """A method after its start, with adapters that have gone some of their way."""
    method = SPM(eta=ETA, drift=DRIFT, batch_size=3, x_t_steps=4, **settings)
    context = context_of(base, method, prompts=PRESERVING)
    student = base.clone(method.selection(base))
    method.start(student, context)
    generator = torch.Generator().manual_seed(1)
    for adapter in method._adapters:
        adapter.up.data.copy_(0.1 * torch.randn(adapter.up.shape, generator=generator))
    return method, context, student


def eps(model: DiffusionModel, x_t: Tensor, t: Tensor, condition: Tensor) -> Tensor:
    return model.denoiser(x_t, t, encoder_hidden_states=condition).sample


@pytest.mark.parametrize(("surrogate", "anchors"), [("anchor", "prompts"), ("empty", "random")])
def test_the_loss_is_the_formula_by_hand(
    tiny_text_to_image: TextToImage, monkeypatch: pytest.MonkeyPatch, surrogate: str, anchors: str
) -> None:
    base = tiny_text_to_image
    method, context, student = started(base, surrogate=surrogate, anchors=anchors)
    drawn, kept = [], []
    way, points = student.denoised_until, method._kept
    monkeypatch.setattr(student, "denoised_until", lambda *args: (drawn.append((args, found := way(*args))), found)[1])
    monkeypatch.setattr(method, "_kept", lambda *args: (kept.append(found := points(*args)), found)[1])
    loss = method.loss(student, context)
    (((stop, prompts, _, sampler), (x_t, t)),) = drawn
    assert 0 <= stop < sampler.steps == 4
    assert set(prompts) <= set(PRESERVING.concept)
    asked, left = base.condition(prompts), base.condition([PRESERVING.anchor if surrogate == "anchor" else ""] * 3)
    (a,) = kept
    if anchors == "prompts":
        known = base.condition([PRESERVING.anchor, *PRESERVING.preserve])
        assert all(any(torch.equal(condition, other) for other in known) for condition in a)
    else:
        norms = base.condition(list(PRESERVING.concept)).flatten(1).norm(dim=1)
        assert bool((0.8 * norms.min() <= a.flatten(1).norm(dim=1)).all())
        assert bool((a.flatten(1).norm(dim=1) <= 1.2 * norms.max()).all())
    with torch.no_grad():
        start = eps(base, x_t, t, left)
        target = start - ETA * (eps(base, x_t, t, asked) - start)
        erased = (eps(student, x_t, t, asked) - target).square().mean()
        drift = (eps(student, x_t, t, a) - eps(base, x_t, t, a)).square().mean()
    assert float(drift) > 0
    torch.testing.assert_close(loss.detach(), erased + DRIFT * drift)
    loss.backward()
    assert all(p.grad is not None for p in method.parameters(student))
    adapters = {id(p) for p in method.parameters(student)}
    assert all(p.grad is None for p in student.denoiser.parameters() if id(p) not in adapters)


def test_a_drift_that_weighs_more_moves_what_is_kept_less(tiny_text_to_image: TextToImage) -> None:
    base = tiny_text_to_image
    x_t, t = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0)), torch.full((2,), 500)
    kept = base.condition(["with bangs", PRESERVING.anchor])
    moved = []
    for drift in (0.0, 100.0):
        method = SPM(**{**QUICK, "steps": 6}, drift=drift, eta=3.0, weights="*attn2*", learning_rate=0.02)
        edited = method.unlearn(base, context_of(base, method, prompts=PRESERVING))
        with torch.no_grad():
            moved.append(float((eps(edited, x_t, t, kept) - eps(base, x_t, t, kept)).square().mean()))
    assert 0 < moved[1] < 0.5 * moved[0]


def test_an_adapter_needs_a_layer(tiny_text_to_image: TextToImage) -> None:
    with pytest.raises(UserError, match="spm: weights 'conv_\\*.bias' names no layer"):
        SPM(weights="conv_*.bias").selection(tiny_text_to_image)
    published = SPM(weights=SPM.Settings.presets["published"]["weights"]).selection(tiny_text_to_image)
    assert published
    assert all(".attentions." in name and weight.ndim > 1 for name, weight in published.items())


def test_its_evaluations_depend_on_the_seed(tiny_text_to_image: TextToImage) -> None:
    method, counts = SPM(batch_size=1, steps=1, x_t_steps=8, weights="*attn2*"), set()
    for seed in range(3):
        context = context_of(tiny_text_to_image, method)
        context.generator.manual_seed(seed)
        context.base.counter = EvaluationCounter()
        method.unlearn(context.base, context)
        counts.add(context.base.counter.forward)
    assert len(counts) > 1
    assert method.evaluations_vary("text_to_image")
