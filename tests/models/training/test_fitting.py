from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.training_utils import EMAModel
from torch import nn

from vdu_bench.errors import Diverged
from vdu_bench.models.specs import FitSpec
from vdu_bench.models.training import fitting
from vdu_bench.models.training.average import Average
from vdu_bench.models.training.checkpoint import read_checkpoint, write_checkpoint
from vdu_bench.models.training.fitting import Backward, Fit, fit, gradients_of, learning_rate_factor


def quadratic(p: nn.Parameter):
    return lambda _step: (p - torch.tensor([1.0, -2.0])).square().sum()


def infinite_slope(p: nn.Parameter) -> torch.Tensor:
    # sqrt has an infinite slope at 0, and 0 * inf is not a number.
    return ((p - p.detach()) * 0).square().sqrt().sum()


def test_finds_the_minimum_of_a_quadratic() -> None:
    p = nn.Parameter(torch.zeros(2))
    losses = fit([p], quadratic(p), FitSpec(steps=400, learning_rate=0.05))
    torch.testing.assert_close(p.detach(), torch.tensor([1.0, -2.0]), atol=1e-3, rtol=0)
    assert losses[-1] < 1e-5 < losses[0]


def test_schedule_warms_up_and_decays_to_zero() -> None:
    spec = FitSpec(steps=110, learning_rate=1.0, schedule="cosine", warmup_steps=10)
    factors = [learning_rate_factor(step, spec) for step in range(110)]
    assert factors[0] == pytest.approx(0.1)
    assert factors[9] == factors[10] == 1
    assert factors[60] == pytest.approx(0.5)
    assert 0 < factors[109] < 0.001


def test_clipping_bounds_the_gradient_that_the_optimiser_sees() -> None:
    p = nn.Parameter(torch.zeros(2))
    running = Fit([p], FitSpec(steps=1, learning_rate=0.1, clip_norm=0.5))
    seen: list[float] = []
    running.optimizer.register_step_pre_hook(lambda *_: seen.append(float(p.grad.norm())))
    running.advance(gradients_of(lambda _: 1000 * p.sum()))
    assert seen == [pytest.approx(0.5, rel=1e-4)]
    assert p.grad is None, "a gradient that is done with takes no memory"


def test_gradients_may_be_made_by_hand_between_several_backward_passes() -> None:
    """Twice the first loss's, less the second's; the step goes by what is left at the end."""
    p = nn.Parameter(torch.tensor([1.0, 2.0]))
    running = Fit([p], FitSpec(steps=2, learning_rate=0.1))
    seen: list[torch.Tensor] = []
    running.optimizer.register_step_pre_hook(lambda *_: seen.append(p.grad.clone()))
    steps: list[int] = []

    def gradients(step: int, backward: Backward) -> torch.Tensor:
        steps.append(step)
        assert p.grad is None, "each step begins without any"
        backward(p.square().sum())
        first, p.grad = p.grad, None
        loss = (3 * p).sum()
        backward(loss)
        p.grad = 2 * first - p.grad
        return loss

    expected = 4 * p.detach().clone() - 3
    told: list[tuple[int, float]] = []
    losses = running.run(gradients, lambda step, loss: told.append((step, loss)))
    torch.testing.assert_close(seen[0], expected)
    assert losses[0] == 9
    assert steps == [0, 1]
    assert told == list(enumerate(losses))


def test_what_backward_adds_is_scaled_where_the_loop_scales_and_no_step_notices() -> None:
    def fitted(autocast: torch.dtype | None) -> tuple[list[float], float]:
        p = nn.Parameter(torch.ones(1))
        slopes: list[float] = []

        def gradients(_step: int, backward: Backward) -> torch.Tensor:
            loss = p.square().sum()
            backward(loss)
            slopes.append(float(p.grad))
            return loss

        Fit([p], FitSpec(steps=2, learning_rate=0.1), autocast).run(gradients)
        return slopes, float(p.detach())

    (plain, end), (scaled, other_end) = fitted(None), fitted(torch.float16)
    assert scaled == [65536 * slope for slope in plain]
    assert other_end == pytest.approx(end)


def test_two_losses_of_one_evaluation_may_be_told_apart() -> None:
    p = nn.Parameter(torch.tensor([1.0, 2.0]))
    seen: list[torch.Tensor] = []

    def gradients(_step: int, backward: Backward) -> torch.Tensor:
        output = p.square()
        backward(output.sum(), retain_graph=True)
        first, p.grad = p.grad, None
        backward(output[0])
        seen.extend([first, p.grad.clone()])
        return output[0]

    Fit([p], FitSpec(steps=1, learning_rate=0.1)).run(gradients)
    assert [slope.tolist() for slope in seen] == [[2.0, 4.0], [2.0, 0.0]]


def test_gradients_that_are_not_there_are_an_error() -> None:
    p = nn.Parameter(torch.ones(1))
    with pytest.raises(ValueError, match="no parameter has a gradient"):
        Fit([p], FitSpec(steps=1, learning_rate=0.1)).run(lambda _, __: p.sum())


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (None, "gradients gives NoneType, and not the loss: a tensor of one number"),
        (0.5, "gradients gives float"),
        (torch.ones(2), r"gradients gives a tensor of \[2\], and not the loss: one number"),
    ],
)
def test_what_is_no_loss_is_said(given: Any, words: str) -> None:
    p = nn.Parameter(torch.ones(1))

    def gradients(_step: int, backward: Backward) -> Any:
        backward(p.sum())
        return given

    with pytest.raises(TypeError, match=words):
        Fit([p], FitSpec(steps=1, learning_rate=0.1)).run(gradients)
    with pytest.raises(TypeError, match=words.replace("gradients gives", "backward is given")):
        Fit([p], FitSpec(steps=1, learning_rate=0.1)).run(lambda _, backward: backward(given))


def test_the_average_of_all_weights_at_once_has_the_bits_of_one_after_the_other() -> None:
    generator = torch.Generator().manual_seed(0)
    ours = [nn.Parameter(torch.randn(shape, generator=generator)) for shape in ((64, 3, 3, 3), (129,), (7, 5))]
    average, plain = Average(ours, decay=0.999), EMAModel(ours, decay=0.999)
    for _ in range(20):
        with torch.no_grad():
            for p in ours:
                p += 0.01 * torch.randn(p.shape, generator=generator)
        average.step(ours)
        plain.step(ours)
    assert all(torch.equal(one, other) for one, other in zip(average.shadow_params, plain.shadow_params, strict=True))


def test_losses_of_a_window_are_read_at_its_end_and_are_the_same() -> None:
    def fitted(window: int | None) -> tuple[list[list[tuple[int, float]]], torch.Tensor]:
        p = nn.Parameter(torch.zeros(2))
        running = Fit([p], FitSpec(steps=7, learning_rate=0.1, clip_norm=1.0), window=window)
        return [running.advance(gradients_of(quadratic(p))) for _ in range(7)], p.detach()

    (each, end), (late, other_end) = fitted(None), fitted(3)
    assert [len(read) for read in each] == [1] * 7
    assert [len(read) for read in late] == [0, 0, 3, 0, 0, 3, 1]
    assert [pair for read in each for pair in read] == [pair for read in late for pair in read]
    assert torch.equal(end, other_end)


@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_a_divergence_is_found_at_the_window_s_end_and_its_step_is_named(where: str) -> None:
    p = nn.Parameter(torch.ones(1))

    def loss(step: int) -> torch.Tensor:
        if step < 4:
            return p.square().sum()
        return p.sum() * float("nan") if where == "loss" else infinite_slope(p)

    running = Fit([p], FitSpec(steps=9, learning_rate=0.1, clip_norm=1.0), window=3)
    with pytest.raises(Diverged, match=f"the {where} is not finite at step 4, seen after step 5"):
        running.run(gradients_of(loss))
    assert running.step == 6


def test_what_is_not_read_at_the_end_of_a_window_is_when_it_is_asked_for() -> None:
    p = nn.Parameter(torch.ones(1))
    running = Fit([p], FitSpec(steps=9, learning_rate=0.1), window=5)
    for step in range(2):
        assert running.advance(gradients_of(lambda _: p.sum() * (float("nan") if step else 1))) == []  # noqa: B023
    with pytest.raises(Diverged, match="the loss is not finite at step 1"):
        running.read()


@pytest.mark.parametrize("decay", [None, 0.99])
def test_no_value_is_asked_for_within_a_window(decay: float | None) -> None:
    """On the meta device nothing has a value, so that whoever waits for one is an error."""
    p = nn.Parameter(torch.zeros(2, device="meta"))
    spec = FitSpec(steps=9, learning_rate=0.1, clip_norm=1.0, ema_decay=decay, optimizer="adamw")
    running = Fit([p], spec)
    assert running.window > 1
    for _ in range(8):
        assert running.advance(gradients_of(lambda _: p.square().sum())) == []
    with pytest.raises(RuntimeError):
        running.read()


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_a_state_that_was_read_from_disk_lies_where_the_weights_are(optimizer: str) -> None:
    """And may be gone on from: Adam's count of steps is the one thing that torch leaves on the CPU."""
    spec = FitSpec(steps=9, learning_rate=0.1, clip_norm=1.0, ema_decay=0.99, optimizer=optimizer)
    saved, elsewhere = (Fit([nn.Parameter(torch.zeros(2, device=place))], spec) for place in ("cpu", "meta"))
    saved.advance(gradients_of(quadratic(saved.parameters[0])))
    elsewhere.restore(1, saved.state())
    p = elsewhere.parameters[0]
    fresh = Fit([nn.Parameter(torch.zeros(2, device="meta"))], spec)
    fresh.advance(gradients_of(lambda _: fresh.parameters[0].square().sum()))
    assert fresh.ema is not None
    assert elsewhere.ema is not None
    expected = {key: value.device for key, value in fresh.optimizer.state[fresh.parameters[0]].items()}
    assert {key: value.device for key, value in elsewhere.optimizer.state[p].items()} == expected
    assert [one.device.type for one in elsewhere.ema.shadow_params] == ["meta"]
    elsewhere.advance(gradients_of(lambda _: p.square().sum()))


def test_moments_come_back_in_the_layout_of_the_weights(tmp_path: Path) -> None:
    """A file's are contiguous, and a GPU's fused optimiser takes none that lie in another way than the weights."""
    spec = FitSpec(steps=9, learning_rate=0.1)

    def made() -> Fit:
        convolution = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
        assert not convolution.weight.is_contiguous()
        return Fit([convolution.weight], spec)

    one, other = made(), made()
    one.advance(gradients_of(lambda _: one.parameters[0].square().sum()))
    write_checkpoint(tmp_path, {}, {"fit": one.state()})
    kept = read_checkpoint(tmp_path)
    assert kept is not None
    other.restore(1, kept.part("fit"))
    p = other.parameters[0]
    for key in ("exp_avg", "exp_avg_sq"):
        moment = other.optimizer.state[p][key]
        assert moment.stride() == p.stride()
        assert torch.equal(moment, one.optimizer.state[one.parameters[0]][key])


def test_a_state_is_copied_and_not_shared() -> None:
    spec = FitSpec(steps=9, learning_rate=0.1, ema_decay=0.99)
    one, other = (Fit([nn.Parameter(torch.zeros(2))], spec) for _ in range(2))
    one.advance(gradients_of(quadratic(one.parameters[0])))
    before = {name: value.clone() for name, value in one.state().items()}
    other.restore(1, one.state())
    other.advance(gradients_of(quadratic(other.parameters[0])))
    assert all(torch.equal(value, one.state()[name]) for name, value in before.items())


def test_average_replaces_the_weights_at_the_end() -> None:
    p = nn.Parameter(torch.zeros(2))
    spec = FitSpec(steps=3, learning_rate=0.1, ema_decay=0.999)
    running = Fit([p], spec)
    for _ in range(3):
        running.advance(gradients_of(quadratic(p)))
    raw = p.detach().clone()
    running.finish()
    assert 0 < float(p.detach().norm()) < float(raw.norm())


@pytest.mark.parametrize("where", ["loss", "gradient", "weight"])
def test_nan_is_a_divergence(where: str) -> None:
    p = nn.Parameter(torch.ones(1))

    def loss(_step: int) -> torch.Tensor:
        if where == "loss":
            return p.sum() * float("nan")
        return infinite_slope(p)

    spec = FitSpec(steps=1, learning_rate=0.1, clip_norm=1.0 if where == "gradient" else None)
    with pytest.raises(Diverged, match=where):
        fit([p], loss, spec)


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("autocast", [None, torch.float16])
def test_a_restored_fit_goes_on_bit_for_bit(
    autocast: torch.dtype | None, fused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fused:
        # As on a GPU; torch has the fused kernel for the CPU too.
        monkeypatch.setattr(fitting, "FUSED", ("cpu",))
    spec = FitSpec(steps=10, learning_rate=0.05, ema_decay=0.9, optimizer="adamw", weight_decay=0.1, schedule="cosine")
    p, q = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.full((2,), 7.0))
    whole = Fit([p], spec, autocast)
    assert bool(whole.optimizer.param_groups[0]["fused"]) == fused
    for _ in range(5):
        whole.advance(gradients_of(quadratic(p)))
    state = {name: tensor.clone() for name, tensor in whole.state().items()}
    for _ in range(5):
        whole.advance(gradients_of(quadratic(p)))
    whole.finish()
    resumed = Fit([q], spec, autocast)
    resumed.restore(5, state)
    for _ in range(5):
        resumed.advance(gradients_of(quadratic(q)))
    resumed.finish()
    assert torch.equal(p, q)


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_a_fused_step_is_the_same_step(optimizer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = FitSpec(steps=20, learning_rate=0.05, optimizer=optimizer, schedule="cosine", clip_norm=1.0)
    found = []
    for places in ((), ("cpu",)):
        monkeypatch.setattr(fitting, "FUSED", places)
        p = nn.Parameter(torch.zeros(2))
        fit([p], quadratic(p), spec)
        found.append(p.detach())
    torch.testing.assert_close(found[1], found[0], rtol=1e-6, atol=0)
    assert found[0].abs().min() > 0.1


@pytest.mark.parametrize("place", ["meta", "cpu"])
def test_a_fused_step_s_count_lies_where_the_weights_are(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fused optimiser asks for its count of steps on the device; restored on the CPU, it would be refused."""
    spec = FitSpec(steps=9, learning_rate=0.1)
    monkeypatch.setattr(fitting, "FUSED", ())
    saved = Fit([nn.Parameter(torch.zeros(2))], spec)
    saved.advance(gradients_of(quadratic(saved.parameters[0])))
    monkeypatch.setattr(fitting, "FUSED", ("meta", "cpu"))
    # torch makes no fused optimiser on meta, so the place of the count is all that can be seen there.
    monkeypatch.setattr(torch.optim.Adam, "__init__", _unfused(torch.optim.Adam.__init__))
    running = Fit([nn.Parameter(torch.zeros(2, device=place))], spec)
    running.restore(1, saved.state())
    assert running.optimizer.state[running.parameters[0]]["step"].device.type == place


def _unfused(init: Callable[..., None]) -> Callable[..., None]:
    def made(*given: Any, **named: Any) -> None:
        init(*given, **{**named, "fused": None})

    return made


def test_a_float16_loss_is_scaled_so_that_small_gradients_arrive() -> None:
    def fitted(autocast: torch.dtype | None) -> float:
        p = nn.Parameter(torch.zeros(1))
        # A slope of 2e-8, less than float16 can tell from zero.
        fit([p], lambda _: (p.half() * 1e-5).float() * 2e-3, FitSpec(steps=3, learning_rate=0.1), autocast=autocast)
        return float(p.detach())

    assert fitted(None) == 0
    # Adam divides the slope by itself and its epsilon of 1e-8.
    assert fitted(torch.float16) == pytest.approx(3 * -0.1 * 2 / 3, rel=0.01)


def test_a_gradient_that_overflows_lowers_the_scale_and_the_step_is_tried_again() -> None:
    p = nn.Parameter(torch.zeros(1))
    tried: list[int] = []
    told: list[int] = []

    def loss(step: int) -> torch.Tensor:
        tried.append(step)
        # 65,536 times 8 is beyond float16, and so on down to 8,192.
        return (p.half() * 8).float().sum()

    spec = FitSpec(steps=3, learning_rate=0.1, clip_norm=1.0, ema_decay=0.5)
    losses = fit([p], loss, spec, lambda step, _: told.append(step), torch.float16)
    assert tried == [0, 0, 0, 0, 0, 1, 2]
    assert told == [0, 1, 2]
    assert len(losses) == 3


def test_a_gradient_that_overflows_at_every_scale_is_a_divergence() -> None:
    p = nn.Parameter(torch.ones(1))
    with pytest.raises(Diverged, match="gradient"):
        fit([p], lambda _: infinite_slope(p), FitSpec(steps=1, learning_rate=0.1), autocast=torch.float16)


@pytest.mark.parametrize("autocast", [None, torch.bfloat16])
def test_no_other_loss_is_scaled(autocast: torch.dtype | None) -> None:
    p = nn.Parameter(torch.zeros(2))
    assert Fit([p], FitSpec(steps=1, learning_rate=0.1), autocast).scaler is None
