"""ESD as it was published: on a text-to-image model, against the formula by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from diffusers import DDIMScheduler
from prompted import IMAGES, PROMPTS, context_of
from torch import Tensor

from vdu_baselines.esd import ESD
from vdu_bench.errors import UserError
from vdu_bench.methods.context import UnlearningContext
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.models.selection import selected_parameters

ETA = 2.5


class Watched:
    """One step's loss, and what it was made from, read off the model's own methods."""

    def __init__(self, base: TextToImage, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> None:
        self.method = ESD(ESD.Settings(eta=ETA, batch_size=3, x_t_steps=5, **settings))
        self.context: UnlearningContext = context_of(base, self.method)
        self.model = base.clone()
        self.model.denoiser.requires_grad_(True)
        self.method.start(self.model, self.context)
        # The student has gone some of its way.
        generator = torch.Generator().manual_seed(1)
        for parameter in self.model.denoiser.parameters():
            parameter.data.add_(0.02 * torch.randn(parameter.shape, generator=generator))
        self.calls: list[tuple[str, tuple[Any, ...], Any]] = []
        self._watch(monkeypatch, self.model, "student")
        self._watch(monkeypatch, self.context.base, "frozen")
        self.loss = self.method.loss(self.model, self.context)

    def _watch(self, monkeypatch: pytest.MonkeyPatch, model: DiffusionModel, whose: str) -> None:
        for name in ("denoised_until", "add_noise", "condition"):
            original = getattr(model, name)

            def noted(*args: Any, original: Any = original, label: str = f"{whose}.{name}") -> Any:
                result = original(*args)
                self.calls.append((label, args, result))
                return result

            monkeypatch.setattr(model, name, noted)

    def of(self, label: str) -> tuple[tuple[Any, ...], Any]:
        """Arguments and result of the one call."""
        (call,) = [call for call in self.calls if call[0] == label]
        return call[1:]


def eps(model: DiffusionModel, base: TextToImage, x_t: Tensor, t: Tensor, prompts: list[str]) -> Tensor:
    condition = base.condition(prompts)
    return model.denoiser(x_t, t, encoder_hidden_states=condition).sample


def expected(
    base: TextToImage, watched: Watched, x_t: Tensor, t: Tensor, concept: list[str], source: str | None = None
) -> Tensor:
    """|| eps_theta(x_t, s) - [start - eta (eps_base(x_t, c) - eps_base(x_t, null))] ||^2.

    With a source, s is it and start eps_base(x_t, s); without one, s is c and start eps_base(x_t, null).
    """
    with torch.no_grad():
        null, erased = eps(base, base, x_t, t, [""] * 3), eps(base, base, x_t, t, concept)
        trained = concept if source is None else [source] * 3
        start = null if source is None else eps(base, base, x_t, t, trained)
        return (eps(watched.model, base, x_t, t, trained) - (start - ETA * (erased - null))).square().mean()


@pytest.mark.parametrize(("x_t", "whose"), [("auto", "student"), ("student", "student"), ("frozen", "frozen")])
@pytest.mark.parametrize(
    ("from_concept", "source"), [(None, None), ("a person", "a person"), ("anchor", PROMPTS.anchor)]
)
def test_the_loss_is_the_formula_by_hand(
    tiny_text_to_image: TextToImage,
    monkeypatch: pytest.MonkeyPatch,
    x_t: str,
    whose: str,
    from_concept: str | None,
    source: str | None,
) -> None:
    watched = Watched(tiny_text_to_image, monkeypatch, x_t=x_t, from_concept=from_concept)
    (stop, prompts, noise, sampler), (x, t) = watched.of(f"{whose}.denoised_until")
    assert len([call for call in watched.calls if "denoised_until" in call[0]]) == 1
    asked = [call[1][0] for call in watched.calls if call[0] == "student.condition"]
    concept = next(prompts for prompts in asked if set(prompts) <= set(PROMPTS.concept))
    assert prompts == (concept if source is None else [source] * 3)
    assert (sampler.name, sampler.steps, sampler.guidance_scale) == ("ddim", 5, 3.0)
    scheduler = DDIMScheduler.from_config(tiny_text_to_image.noise_scheduler.config, timestep_spacing="leading")
    scheduler.set_timesteps(5)
    assert t.tolist() == [int(scheduler.timesteps[stop])] * 3
    assert noise.shape == (3, 4, 8, 8)
    torch.testing.assert_close(watched.loss.detach(), expected(tiny_text_to_image, watched, x, t, concept, source))
    ledger = watched.context.ledger()
    assert (ledger.prompts, ledger.forget_images, ledger.retain_images) == (True, 0, 0)


def test_x_t_may_be_noised_forget_images(tiny_text_to_image: TextToImage, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(tiny_text_to_image, monkeypatch, x_t="images")
    (x0, noise, t), x = watched.of("student.add_noise")
    alphabar = tiny_text_to_image.noise_scheduler.alphas_cumprod[t].reshape(-1, 1, 1, 1)
    torch.testing.assert_close(x, alphabar.sqrt() * x0 + (1 - alphabar).sqrt() * noise)
    forget = tiny_text_to_image.encode(IMAGES.images[IMAGES.shows("hat")])
    for latent in x0:
        assert any(torch.allclose(latent, other, atol=1e-5) for other in forget)
    (prompts,), _ = next(call[1:] for call in watched.calls if call[0] == "student.condition" and call[1][0][0])
    torch.testing.assert_close(watched.loss.detach(), expected(tiny_text_to_image, watched, x, t, prompts))
    assert watched.context.ledger().forget_images == 3


def test_only_the_student_gets_gradients(tiny_text_to_image: TextToImage, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(tiny_text_to_image, monkeypatch)
    watched.loss.backward()
    assert all(p.grad is not None for p in watched.model.denoiser.parameters())
    for part in (watched.context.base.denoiser, watched.model.vae, watched.model.text_encoder):
        assert all(p.grad is None for p in part.parameters())


def test_the_steps_and_prompts_are_drawn_at_random(
    tiny_text_to_image: TextToImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched(tiny_text_to_image, monkeypatch, x_t_guidance=1.0)
    for _ in range(11):
        watched.method.loss(watched.model, watched.context)
    asked = [call[1] for call in watched.calls if call[0] == "student.denoised_until"]
    assert {stop for stop, *_ in asked} == set(range(5))
    assert {prompt for _, prompts, *_ in asked for prompt in prompts} == set(PROMPTS.concept)


@pytest.mark.parametrize(
    "weights", ["auto", "all_but_cross_attention_time_output", "layers_but_cross_attention", "all"]
)
def test_x_u_and_full_train_what_they_say(tiny_text_to_image: TextToImage, weights: str) -> None:
    method = ESD(ESD.Settings(weights=weights, steps=2, batch_size=2, x_t_steps=2, learning_rate=1e-3))
    edited = method.unlearn(tiny_text_to_image, context_of(tiny_text_to_image, method))
    selection = "cross_attention" if weights == "auto" else weights
    selected = set(selected_parameters(tiny_text_to_image.denoiser, selection))
    before = dict(tiny_text_to_image.denoiser.named_parameters())
    moved = {name for name, p in edited.denoiser.named_parameters() if not torch.equal(p, before[name])}
    assert moved == selected


def test_it_leads_away_from_the_concept(tiny_text_to_image: TextToImage) -> None:
    """eps_theta(c) goes to the other side of eps_base(null) than eps_base(c) is on."""
    method = ESD(ESD.Settings(eta=5, weights="all", steps=12, batch_size=3, x_t_steps=1, learning_rate=2e-3))
    edited = method.unlearn(tiny_text_to_image, context_of(tiny_text_to_image, method))
    x_t = torch.randn(3, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    t, prompts = torch.ones(3, dtype=torch.int64), [PROMPTS.concept[0]] * 3
    with torch.no_grad():
        null, concept, now = (
            eps(model, tiny_text_to_image, x_t, t, asked)
            for model, asked in ((tiny_text_to_image, [""] * 3), (tiny_text_to_image, prompts), (edited, prompts))
        )
    direction = concept - null
    assert float(((now - null) * direction).sum()) < -float(direction.square().sum())


@pytest.mark.parametrize("settings", [{"x_t": "student"}, {"x_t": "frozen"}, {"from_concept": "a person"}])
def test_what_needs_prompts_is_refused_on_an_unconditional_model(
    tiny_model: UnconditionalDDPM, settings: dict[str, str]
) -> None:
    method = ESD(ESD.Settings(**settings))
    with pytest.raises(UserError, match="x_t and from_concept need prompts"):
        method.start(tiny_model.clone(), context_of(tiny_model, method))
