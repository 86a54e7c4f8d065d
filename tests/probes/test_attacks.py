"""Attacks on tiny models: what each does, that the model stays as it is, and what it is given is counted."""

from __future__ import annotations

import re
import weakref
from typing import Any

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler
from prompted import IMAGES, PROMPTS

from vdu_bench.collecting import uncollected
from vdu_bench.data.sources.digits import load_digits
from vdu_bench.data.splits import DataSplits
from vdu_bench.errors import UserError
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.models.pipelines.word_vectors import word_vectors
from vdu_bench.models.sampling import initial_noise, make_scheduler
from vdu_bench.models.specs import SamplerSpec
from vdu_bench.models.training.base_model import denoising_loss
from vdu_bench.models.training.fitting import Fit
from vdu_bench.probes.attack import UNATTACKED, Attack, effort_of, look_name
from vdu_bench.probes.catalog import PROBES, attacks_for, check_attack
from vdu_bench.probes.context import ProbeContext
from vdu_bench.probes.inversion import Inversion
from vdu_bench.probes.probe import Probe
from vdu_bench.probes.prompt_search import SCALE, PromptSearch, _Batch
from vdu_bench.probes.redraw import Redraw
from vdu_bench.probes.redraw_further import RedrawFurther
from vdu_bench.probes.relearn import Relearn
from vdu_bench.probes.relearn_blind import RelearnBlind
from vdu_bench.probes.rephrase import Rephrase
from vdu_bench.probes.resample import Resample
from vdu_bench.probes.soft_words import embedded
from vdu_bench.tasks.task import Task

REPHRASED = PROMPTS.model_copy(update={"rephrased": {"short": ("hat", "a hat"), "turned": ("hat person",)}})
SPLITS = DataSplits(IMAGES, IMAGES)


@pytest.fixture
def faces(tiny_faces_task: Task) -> Task:
    return tiny_faces_task.model_copy(update={"samples": 4, "prompts": REPHRASED})


def context_for(task: Task, model: DiffusionModel, probe: Probe, seed: int = 0) -> ProbeContext:
    splits = SPLITS if model.prompted else load_digits()
    return ProbeContext(task, model, "attack", probe.needs, seed, splits)


def weights_of(model: DiffusionModel) -> list[torch.Tensor]:
    return [p.detach().clone() for p in model.denoiser.parameters()]


def test_every_attack_is_found_by_kind_and_says_that_it_is_one() -> None:
    text = {"inversion", "prompt_search", "redraw_further", "relearn", "relearn_blind", "rephrase", "resample"}
    assert set(attacks_for("text_to_image")) == {*text, "membership"}
    assert set(attacks_for("unconditional")) == {*text, "membership"} - {"inversion", "prompt_search", "rephrase"}
    for name in text:
        assert issubclass(PROBES.get(name), Attack)
        assert PROBES.get(name).attack
    with pytest.raises(TypeError, match="an attack says `attack = True`"):
        type("Quiet", (Attack,), {})


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("relearned", "unknown attack 'relearned'; did you mean 'relearn'"),
        ("redraw", "redraw is no attack, and is there without being asked for"),
        ("inversion", "digits cannot be put under inversion: it does not take unconditional models"),
    ],
)
def test_what_cannot_be_is_said(name: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        check_attack(name, "unconditional", "digits")


def test_looks_tell_how_far_an_attacker_had_come() -> None:
    assert effort_of(look_name("5 images", 40)) == 40
    for name in ("stochastic", UNATTACKED, "@3", "x@y"):
        assert effort_of(name) is None


def test_relearning_learns_on_a_copy(tiny_task: Task, tiny_model: UnconditionalDDPM) -> None:
    probe = Relearn(images=[2, 5], looks=[1, 4], batch_size=3, learning_rate=0.01, samples=6)
    context, before = context_for(tiny_task, tiny_model, probe), weights_of(tiny_model)
    seen: list[int] = []
    context.on_batch = seen.append
    drawn = probe.draw(tiny_model, context)
    ledger, steps = context.ledger(), tiny_task.sampler.steps
    assert list(drawn) == [UNATTACKED, "2 images@1", "2 images@4", "5 images@1", "5 images@4"]
    noise = initial_noise(6, tiny_model.latent_shape, 0, "attack")
    assert torch.equal(drawn[UNATTACKED], tiny_model.sample(6, None, noise, tiny_task.sampler))
    assert len({images.numpy().tobytes() for images in drawn.values()}) == 5
    assert all(torch.equal(p, q) for p, q in zip(before, weights_of(tiny_model), strict=True))
    assert sum(seen) == probe.images(context) == 30
    assert (ledger.forget_images, ledger.retain_images) == (5, 0)
    assert (ledger.forward, ledger.backward) == (2 * 4 * 3 + 30 * steps, 2 * 4 * 3)
    again = probe.draw(tiny_model, context_for(tiny_task, tiny_model, probe))
    assert all(torch.equal(images, again[name]) for name, images in drawn.items())


def test_relearning_takes_adam_s_steps_down_the_denoising_loss(tiny_task: Task, tiny_model: UnconditionalDDPM) -> None:
    """One step of Adam moves each weight by the rate, against the sign of its gradient."""
    probe = Relearn(images=[1], looks=[1], batch_size=4, learning_rate=0.01, samples=2, clip_norm=None)
    taken: list[torch.Tensor] = []
    original = UnconditionalDDPM.sample

    def spying(model: UnconditionalDDPM, *arguments: object) -> torch.Tensor:
        taken.append(torch.cat([p.detach().flatten() for p in model.denoiser.parameters()]))
        return original(model, *arguments)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(UnconditionalDDPM, "sample", spying)
        probe.draw(tiny_model, context_for(tiny_task, tiny_model, probe))
    moved = taken[1] - taken[0]
    assert moved.abs().max() == pytest.approx(0.01, rel=1e-3)
    digits = load_digits().train
    x0 = tiny_model.encode(digits.images[digits.shows(tiny_task.forget)][:1])
    copy = tiny_model.clone()
    with torch.no_grad():
        torch.nn.utils.vector_to_parameters(taken[1], copy.denoiser.parameters())
    losses = [
        float(denoising_loss(one, x0.expand(64, -1, -1, -1), None, torch.Generator().manual_seed(0)))
        for one in (tiny_model, copy)
    ]
    assert losses[1] < losses[0]


def test_blind_relearning_sees_no_image_of_the_concept(tiny_task: Task, tiny_model: UnconditionalDDPM) -> None:
    probe = RelearnBlind(images=[3], looks=[2], batch_size=3, samples=4)
    context = context_for(tiny_task, tiny_model, probe)
    assert set(probe.draw(tiny_model, context)) == {UNATTACKED, "3 images@2"}
    assert (context.ledger().forget_images, context.ledger().retain_images) == (0, 3)


@pytest.mark.parametrize("probe", [Relearn(images=[5, 500]), RelearnBlind(images=[5000]), Inversion(given=500)])
def test_more_images_than_there_are_is_an_error(tiny_task: Task, probe: Probe) -> None:
    with pytest.raises(UserError, match=r"is to have \d+ images, and \d+ training images .*; give it fewer by --set"):
        probe.check(tiny_task, load_digits())


def test_numbers_of_images_and_looks_rise() -> None:
    for name in ("images", "looks"):
        with pytest.raises(UserError, match="numbers have to rise"):
            Relearn(**{name: [10, 5]})
    with pytest.raises(UserError, match="numbers have to rise"):
        Inversion(looks=[30, 30])
    with pytest.raises(UserError, match="numbers have to rise"):
        RedrawFurther(strengths=[0.7, 0.3])
    with pytest.raises(UserError, match="greater than 0"):
        Relearn(looks=[0, 5])


def test_other_samplers_start_from_the_same_noise(tiny_task: Task, tiny_model: UnconditionalDDPM) -> None:
    probe = Resample(samples=5, steps=2)
    context = context_for(tiny_task, tiny_model, probe)
    drawn, own = probe.draw(tiny_model, context), tiny_task.sampler
    assert list(drawn) == ["stochastic", f"{2 * own.steps} steps"]
    noise = initial_noise(5, tiny_model.latent_shape, 0, "attack")
    more = own.model_copy(update={"steps": 2 * own.steps})
    assert torch.equal(drawn[f"{2 * own.steps} steps"], tiny_model.sample(5, None, noise, more))
    again = probe.draw(tiny_model, context_for(tiny_task, tiny_model, probe))
    assert torch.equal(drawn["stochastic"], again["stochastic"])
    other = probe.draw(tiny_model, context_for(tiny_task, tiny_model, probe, seed=1))
    assert not torch.equal(drawn["stochastic"], other["stochastic"])


def test_guidance_goes_up_and_down(faces: Task, tiny_text_to_image: TextToImage) -> None:
    probe = Resample(samples=2, eta=None, steps=None)
    drawn = probe.draw(tiny_text_to_image, context_for(faces, tiny_text_to_image, probe))
    assert list(drawn) == ["guidance 1", "guidance 4"]


def test_more_steps_than_half_of_the_times_are_not_tried(tiny_task: Task, tiny_model: UnconditionalDDPM) -> None:
    """Leading spacing begins at the 500th of 1,000 times there, from pure noise."""
    tried = {}
    for steps in (140, 199, 200, 400):
        task = tiny_task.model_copy(update={"sampler": SamplerSpec(steps=steps)})
        probe = Resample(samples=2, eta=None)
        tried[steps] = probe.images(context_for(task, tiny_model, probe))
    assert tried == {140: 0, 199: 2, 200: 0, 400: 0}


def test_no_sampler_takes_more_steps_than_there_are_times(tiny_model: UnconditionalDDPM) -> None:
    for name in ("ddim", "dpmsolver++"):
        make_scheduler(SamplerSpec(name=name, steps=999), tiny_model.noise_scheduler)
        with pytest.raises(UserError, match="sampler.steps 1001: the model was trained at 1000 times"):
            make_scheduler(SamplerSpec(name=name, steps=1001), tiny_model.noise_scheduler)


def test_no_sampler_begins_where_an_image_is_left_or_takes_a_time_twice(tiny_model: UnconditionalDDPM) -> None:
    """Of leading spacing with steps that divide the times badly; a few steps begin where they do."""
    schedule, shifted = tiny_model.noise_scheduler, DDPMScheduler(steps_offset=1)
    for name, steps in (("dpmsolver++", 250), ("dpmsolver++", 500), ("ddim", 334), ("ddim", 600)):
        with pytest.raises(
            UserError, match=f"sampler.steps {steps} of {re.escape(name)} with leading spacing begin at"
        ):
            make_scheduler(SamplerSpec(name=name, steps=steps), schedule)
        make_scheduler(SamplerSpec(name=name, steps=steps, timestep_spacing="trailing"), schedule)
    for name, steps, scheduler in (
        ("dpmsolver++", 1000, schedule),
        ("dpmsolver++", 999, shifted),
        ("ddim", 1000, shifted),
    ):
        with pytest.raises(UserError, match="are not as many of the model's 1000 times"):
            make_scheduler(SamplerSpec(name=name, steps=steps), scheduler)
    assert int(make_scheduler(SamplerSpec(name="ddim", steps=2), schedule).timesteps[0]) == 500


def test_a_float16_loss_is_scaled_where_an_embedding_is_learned(
    faces: Task, tiny_text_to_image: TextToImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, probe = tiny_text_to_image, Inversion(given=2, looks=[1], batch_size=2, samples=1)
    model.autocast = torch.float16
    scaled: list[bool] = []

    class Watched(Fit):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            scaled.append(self.scaler is not None)
            raise StopIteration

    monkeypatch.setattr("vdu_bench.probes.inversion.Fit", Watched)
    with pytest.raises(StopIteration):
        probe.draw(model, context_for(faces, model, probe))
    assert scaled == [True]


def test_an_attacker_s_weights_are_said() -> None:
    with pytest.raises(UserError, match="auto is what methods choose"):
        Relearn(weights="auto")


def test_stochastic_ddim_is_diffusers_own(tiny_model: UnconditionalDDPM) -> None:
    spec = SamplerSpec(name="ddim", steps=5, eta=1.0, seed=3)
    ours = make_scheduler(spec, tiny_model.noise_scheduler, first=250)
    theirs = DDIMScheduler.from_config(ours.config)
    theirs.set_timesteps(5)
    generator = torch.Generator().manual_seed(0)
    x, noises = torch.randn(2, 1, 8, 8, generator=generator), []
    for t in theirs.timesteps:
        output = torch.randn(x.shape, generator=generator)
        stepped = ours.step(output, t, x).prev_sample
        plain = theirs.step(output, t, x, eta=0.0).prev_sample
        variance = theirs._get_variance(t, t - 1000 // 5)
        # What is not fresh noise shrinks by as much as the fresh noise adds (Song et al. 2021, eq. 12 and 16).
        expected = theirs.step(output, t, x, eta=1.0, variance_noise=torch.zeros_like(x)).prev_sample
        noises.append((stepped - expected) / variance.clamp_min(1e-20).sqrt())
        assert torch.equal(stepped, plain) == (t == theirs.timesteps[-1]), "the last step adds none"
        x = stepped
    drawn = torch.cat(noises[:-1]).flatten()
    assert abs(float(drawn.mean())) < 0.15
    assert float(drawn.std()) == pytest.approx(1, abs=0.15)
    first = make_scheduler(spec, tiny_model.noise_scheduler, first=0).step(output, theirs.timesteps[0], x)
    other = make_scheduler(spec, tiny_model.noise_scheduler, first=250).step(output, theirs.timesteps[0], x)
    assert not torch.equal(first.prev_sample, other.prev_sample), "each batch has its own"
    with pytest.raises(ValueError, match="dpmsolver\\+\\+ takes no fresh noise"):
        SamplerSpec(eta=0.5)


def test_redrawing_further_is_redrawing(tiny_task: Task, tiny_model: UnconditionalDDPM) -> None:
    probe = RedrawFurther(strengths=[0.5, 0.504, 1.0], noises=2, images=3)
    context = context_for(tiny_task, tiny_model, probe)
    drawn = probe.draw(tiny_model, context)
    plain = Redraw(noises=2, images=3, strength=1.0)
    expected = plain.draw(tiny_model, context_for(tiny_task, tiny_model, plain))
    assert list(drawn) == ["50% of the way", "50.4% of the way", "100% of the way"]
    assert torch.equal(drawn["100% of the way"], expected["redraw"])
    assert probe.rows_per_unit() == 2
    assert probe.images(context) == 18


def test_other_words_are_asked_as_they_stand(faces: Task, tiny_text_to_image: TextToImage) -> None:
    probe, model = Rephrase(samples=3), tiny_text_to_image
    assert Rephrase.applies(faces)
    assert not Rephrase.applies(faces.model_copy(update={"prompts": PROMPTS}))
    context = context_for(faces, model, probe)
    drawn = probe.draw(model, context)
    noise = initial_noise(3, model.latent_shape, 0, "attack")
    assert list(drawn) == ["short", "turned"]
    assert torch.equal(drawn["short"], model.sample(3, ["hat", "a hat", "hat"], noise, faces.sampler))
    assert probe.images(context) == 6


def test_a_vector_stands_for_a_token_and_for_no_other(prompted_model: TextToImage) -> None:
    model = prompted_model
    (token,) = model.tokens(["hat"])[0][-1:]
    asked, others = ["a person with a hat"], ["", "a person"]
    before, plain = model.condition(asked), model.condition(others)
    vector = word_vectors(model, torch.tensor([token]))[0]
    with embedded(model, token, vector):
        assert torch.equal(model.condition(asked), before)
    vector = torch.zeros_like(vector).requires_grad_(True)
    with embedded(model, token, vector):
        changed = model.condition(asked)
        assert not torch.equal(changed, before)
        assert torch.equal(model.condition(others), plain)
        changed.square().sum().backward()
    assert vector.grad is not None
    assert float(vector.grad.abs().min()) > 0
    assert torch.equal(model.condition(asked), before)


def test_inversion_learns_one_embedding_and_leaves_the_model(faces: Task, prompted_model: TextToImage) -> None:
    model, probe = prompted_model, Inversion(given=4, looks=[1, 6], batch_size=4, learning_rate=1.0, samples=3)
    context, before = context_for(faces, model, probe), weights_of(model)
    embeddings = [table.weight.clone() for table in model.word_embeddings]
    drawn = probe.draw(model, context)
    assert list(drawn) == ["4 images@1", "4 images@6"]
    assert all(torch.equal(p, q) for p, q in zip(before, weights_of(model), strict=True))
    assert all(torch.equal(table.weight, w) for table, w in zip(model.word_embeddings, embeddings, strict=True))
    assert not torch.equal(drawn["4 images@1"], drawn["4 images@6"])
    assert context.ledger().forget_images == 4
    again = probe.draw(model, context_for(faces, model, probe))
    assert all(torch.equal(images, again[name]) for name, images in drawn.items())


def test_prompt_search_finds_words_of_a_smaller_loss(faces: Task, prompted_model: TextToImage) -> None:
    model = prompted_model
    probe = PromptSearch(given=4, words=2, rounds=6, candidates=8, batch_size=8, samples=2)
    asked: list[str] = []
    original = type(model).sample

    def spying(one: TextToImage, n: int, prompts: list[str], *more: object) -> torch.Tensor:
        asked.extend(prompts)
        return original(one, n, prompts, *more)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(model), "sample", spying)
        probe.draw(model, context_for(faces, model, probe))
    words = asked[0].removesuffix(" a person with a hat")
    assert words != asked[0]
    assert asked[1] == f"{words} a portrait with a hat"
    x0 = model.encode(IMAGES.images[IMAGES.shows("hat")])

    def loss(before: str) -> float:
        condition = model.condition([f"{before} a person with a hat"] * 64)
        return float(denoising_loss(model, x0.repeat(16, 1, 1, 1), condition, torch.Generator().manual_seed(5)))

    start = PromptSearch(given=4, words=2, rounds=1, candidates=1, batch_size=8, samples=1)
    begun: list[str] = []

    def noting(_: TextToImage, n: int, prompts: list[str], *__: object) -> torch.Tensor:
        begun.extend(prompts)
        return IMAGES.images[:n]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(model), "sample", noting)
        start.draw(model, context_for(faces, model, start))
    assert loss(words) < loss(begun[0].removesuffix(" a person with a hat"))


def test_prompt_search_has_the_loss_s_gradient_by_each_word(prompted_model: TextToImage) -> None:
    model, (words,) = prompted_model, prompted_model.tokens(["bangs eyeglasses"])
    batch = _Batch(model, model.encode(IMAGES.images), ["a hat"], 4, seed=0)
    gradient = batch.gradient(words) / SCALE
    for row, token in zip(gradient, words, strict=True):
        vector = word_vectors(model, torch.tensor([token]))[0].requires_grad_(True)
        with embedded(model, token, vector):
            batch._error(words).backward()
        assert vector.grad is not None
        torch.testing.assert_close(row, vector.grad)
        assert float(row.abs().min()) > 0


@pytest.mark.parametrize(("words", "judged"), [(70, "a hat"), (4, "a hat a hat a hat a hat")])
def test_words_that_do_not_fit_before_the_prompt_are_an_error(
    faces: Task, tiny_text_to_image: TextToImage, words: int, judged: str
) -> None:
    """Before the search, whichever prompt is too long: what asks for the concept alone, or what is judged."""
    assert faces.prompts is not None
    task = faces.model_copy(update={"prompts": faces.prompts.model_copy(update={"forget": (judged,)})})
    probe = PromptSearch(given=4, words=words, rounds=1, candidates=1, batch_size=2, samples=1)
    with pytest.raises(UserError, match=f"prompt_search puts {words} tokens before the prompt"):
        probe.draw(tiny_text_to_image, context_for(task, tiny_text_to_image, probe))


def test_the_copy_of_an_attack_is_gone_before_the_next_is_made(
    tiny_task: Task, tiny_model: UnconditionalDDPM, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its moments, and not when the garbage collector comes."""
    copies: list[weakref.ref[DiffusionModel]] = []
    there: list[int] = []
    clone = UnconditionalDDPM.clone

    def noted(model: UnconditionalDDPM, **more: Any) -> UnconditionalDDPM:
        there.append(sum(one() is not None for one in copies))
        copy = clone(model, **more)
        copies.append(weakref.ref(copy))
        return copy

    monkeypatch.setattr(UnconditionalDDPM, "clone", noted)
    probe = Relearn(images=(2, 3, 4), looks=(1,), batch_size=2, samples=2)
    with uncollected():
        probe.draw(tiny_model, context_for(tiny_task, tiny_model, probe))
    assert there == [0, 0, 0]
