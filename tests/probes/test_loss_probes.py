"""Denoising losses: their closed form, what is given for them and counted, and models that know images by heart."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from linear import LinearModel
from prompted import IMAGES, PROMPTS
from torch import Tensor

from vdu_bench.data.sources.digits import load_digits
from vdu_bench.data.splits import DataSplits
from vdu_bench.errors import Diverged, UserError
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.probes.catalog import PROBES, attacks_for
from vdu_bench.probes.context import ProbeContext
from vdu_bench.probes.likelihood import Likelihood
from vdu_bench.probes.loss_probe import LossContext, LossProbe, LossSettings, denoising_losses
from vdu_bench.probes.membership import Membership
from vdu_bench.stats.auc import area_under_curve
from vdu_bench.tasks.task import Task

DIGITS = load_digits()


def context_for(task: Task, model: DiffusionModel, probe: LossProbe, **drawn: Tensor) -> LossContext:
    splits = DataSplits(IMAGES, IMAGES) if model.prompted else DIGITS
    return LossContext(task, model, "losses", probe.needs, 0, splits, drawn=drawn)


class KnowingByHeart(LinearModel):
    """The exact denoiser of a few images: the best that a training on them alone could come to."""

    def __init__(self, images: Tensor) -> None:
        super().__init__(torch.zeros(1), (1, 8, 8))
        self._images = self.encode(images).flatten(1)

    def _call_denoiser(self, x_t: Tensor, t: Tensor, condition: Any) -> Tensor:  # noqa: ARG002
        kept = self.alphas_cumprod[t].view(-1, 1)
        x = x_t.flatten(1)
        apart = (x[:, None] - kept.sqrt()[..., None] * self._images[None]).square().sum(-1)
        clean = torch.softmax(-apart / (2 * (1 - kept)), 1) @ self._images
        return ((x - kept.sqrt() * clean) / (1 - kept).sqrt()).view_as(x_t)


@pytest.mark.parametrize("weight", [0.0, 0.7, 1.0])
def test_the_loss_of_a_linear_model(weight: float) -> None:
    model, clean = LinearModel(torch.tensor(weight), (1, 100, 100)), torch.full((3, 1, 100, 100), 0.5)
    settings = LossSettings(times=4, noises=2, batch_size=2)
    found = denoising_losses(model, 3, lambda rows: (clean[rows], None), settings, 0)
    kept = model.alphas_cumprod[[125, 375, 625, 875]]
    # eps - w x_t = (1 - w sqrt(1 - abar)) eps - w sqrt(abar) x_0, and eps is standard normal.
    expected = ((1 - weight * (1 - kept).sqrt()).square() + (weight * 0.5) ** 2 * kept).mean()
    assert torch.allclose(found, expected.expand(3), rtol=0.03)
    assert found.dtype == torch.float32
    assert len(found.unique()) == 3, "each image has noise of its own"
    assert (model.counter.forward, model.counter.backward) == (3 * 4 * 2, 0)
    assert torch.equal(found, denoising_losses(model, 3, lambda rows: (clean[rows], None), settings, 0))
    assert not torch.equal(found, denoising_losses(model, 3, lambda rows: (clean[rows], None), settings, 1))


def test_a_loss_that_is_not_finite_is_a_divergence() -> None:
    model = LinearModel(torch.tensor(float("nan")), (1, 2, 2))
    with pytest.raises(Diverged, match="not finite"):
        denoising_losses(model, 2, lambda rows: (torch.zeros(len(rows), 1, 2, 2), None), LossSettings(), 0)


def test_membership_counts_what_it_took(tiny_task: Task, tiny_model: UnconditionalDDPM) -> None:
    probe = Membership(given=6, held_out=5, times=3, noises=2, batch_size=4)
    context, seen = context_for(tiny_task, tiny_model, probe), []
    context.on_batch = seen.append
    found = probe.draw(tiny_model, context)
    assert {name: len(losses) for name, losses in found.items()} == {"trained": 6, "held_out": 5}
    ledger = context.ledger()
    assert (ledger.forget_images, ledger.retain_images, ledger.held_out_images) == (6, 0, 5)
    assert (ledger.forward, ledger.backward) == (11 * 3 * 2, 0)
    assert sum(seen) == probe.images(context) == 11
    again = probe.draw(tiny_model, context_for(tiny_task, tiny_model, probe))
    assert all(torch.equal(losses, again[name]) for name, losses in found.items())


def test_what_is_known_by_heart_is_told_and_what_is_not_is_not(tiny_task: Task) -> None:
    probe = Membership(times=6, noises=1)
    train, held_out = (
        part.subset(part.shows(tiny_task.forget).nonzero().flatten()) for part in (DIGITS.train, DIGITS.held_out)
    )
    areas = []
    for images in (train.images, torch.cat([train.images, held_out.images]), held_out.images):
        model = KnowingByHeart(images)
        found = probe.draw(model, context_for(tiny_task, model, probe))
        areas.append(area_under_curve(*(-found[name].double().numpy() for name in ("trained", "held_out"))))
    by_heart, both, other = areas
    assert by_heart.value > 0.99
    assert other.value < 0.01
    assert both.low < 0.5 < both.high


def test_membership_of_a_model_that_takes_prompts(tiny_faces_task: Task, tiny_text_to_image: TextToImage) -> None:
    probe = Membership(given=2, held_out=2, times=2, noises=1)
    task = tiny_faces_task.model_copy(update={"prompts": PROMPTS})
    found = probe.draw(tiny_text_to_image, context_for(task, tiny_text_to_image, probe))
    assert all(torch.isfinite(losses).all() for losses in found.values())


def test_likelihood_asks_by_the_prompts_of_each_sample(
    tiny_faces_task: Task, tiny_text_to_image: TextToImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = Likelihood(samples=3, times=2, batch_size=2)
    task = tiny_faces_task.model_copy(update={"prompts": PROMPTS, "samples": 4})
    images = torch.zeros(4, *tiny_text_to_image.image_shape, dtype=torch.uint8)
    asked: list[str] = []
    plain = TextToImage.condition

    def condition(model: TextToImage, prompts: list[str]) -> Tensor | None:
        asked.extend(prompts)
        return plain(model, prompts)

    monkeypatch.setattr(TextToImage, "condition", condition)
    context = context_for(task, tiny_text_to_image, probe, forget=images, retain=images)
    found = probe.draw(tiny_text_to_image, context)
    assert {name: len(losses) for name, losses in found.items()} == {"forget": 3, "retain": 3}
    assert asked == [*PROMPTS.cycled("forget", 3), *PROMPTS.cycled("retain", 3)]
    assert context.ledger().forward == 2 * 3 * 2
    assert probe.images(context) == 6


def test_a_model_denoises_its_own_better_than_another_does(tiny_task: Task) -> None:
    """Of two exact denoisers each has the smaller loss on what is its own."""
    ones, eights = (DIGITS.train.images[DIGITS.train.shows(digit)][:40] for digit in "18")
    probe = Likelihood(times=5)
    losses = {}
    for who, images in (("own", ones), ("peer", eights)):
        model = KnowingByHeart(images)
        for whose, drew in (("own", ones), ("peer", eights)):
            task = tiny_task.model_copy(update={"samples": 40})
            context = context_for(task, model, probe, forget=drew)
            losses[who, whose] = probe.draw(model, context)["forget"]
    assert (losses["own", "own"] < losses["peer", "own"]).float().mean() > 0.95
    assert (losses["peer", "peer"] < losses["own", "peer"]).float().mean() > 0.95


def test_which_of_them_is_asked_for_as_an_attack() -> None:
    for kind in ("unconditional", "text_to_image"):
        assert "membership" in attacks_for(kind)
        assert "likelihood" not in attacks_for(kind), "models are compared under any attack"
    assert PROBES.get("membership").attack


@pytest.mark.parametrize("name", ["times", "noises", "batch_size", "given", "held_out"])
def test_nothing_is_no_budget(name: str) -> None:
    with pytest.raises(UserError, match="greater than 0"):
        Membership(**{name: 0})


def test_more_than_there_is_is_an_error(tiny_task: Task) -> None:
    with pytest.raises(UserError, match=r"membership is to have 5000 images, .* --set .*membership\.given="):
        Membership(given=5000).check(tiny_task, DIGITS)
    with pytest.raises(UserError, match=r"likelihood is to have 5000 samples, .* --set .*likelihood\.samples="):
        Likelihood(samples=5000).check(tiny_task, DIGITS)
    Membership().check(tiny_task, DIGITS)
    Likelihood().check(tiny_task, DIGITS)


def test_samples_have_to_be_handed_over(tiny_task: Task, tiny_model: UnconditionalDDPM) -> None:
    probe = Likelihood()
    with pytest.raises(ValueError, match="reads samples"):
        probe.draw(tiny_model, ProbeContext(tiny_task, tiny_model, "losses", probe.needs, 0, DIGITS))


def test_of_no_images_there_are_no_losses() -> None:
    """As of data without a held-out image of the concept; nothing is taken, and nothing encoded."""
    model = LinearModel(torch.tensor(0.5), (1, 8, 8))
    found = denoising_losses(model, 0, lambda _: pytest.fail("there is nothing to take"), LossSettings(), 0)
    assert found.shape == (0,)
