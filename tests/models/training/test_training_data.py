"""Training a latent pipeline: what it is shown, and that it can be made again bit for bit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL
from torch import Tensor

from vdu_bench.data.captions import Captions, words_of
from vdu_bench.data.sources.faces import load_faces
from vdu_bench.data.specs import CaptionSpec
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.posterior.gaussian import WeightPosterior
from vdu_bench.models.specs import LatentRecipe, SnapshotPosterior
from vdu_bench.models.training import resuming
from vdu_bench.models.training.base_model import TrainingLog, train
from vdu_bench.models.training.fitting import Fit
from vdu_bench.models.training.shown import CaptionedLatents
from vdu_bench.tasks.task import Task

SNAPSHOTS = SnapshotPosterior(source="snapshots", snapshots=2)
FACES = load_faces().train.subset(torch.arange(60))


class Killed(Exception):
    """Stands for a kill at a step."""


@pytest.fixture(scope="module")
def spec(tiny_faces_task: Task) -> CaptionSpec:
    assert tiny_faces_task.prompts is not None
    return tiny_faces_task.prompts.captions


@pytest.fixture(scope="module")
def vae(tiny_latent_recipe: LatentRecipe) -> AutoencoderKL:
    """An autoencoder as it is before training."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return AutoencoderKL(**tiny_latent_recipe.autoencoder.network)


def untrained(recipe: LatentRecipe, vae: AutoencoderKL, spec: CaptionSpec) -> TextToImage:
    return TextToImage.from_recipe(recipe, vae, words_of(spec))


def weights(model: TextToImage) -> list[Tensor]:
    return [p.detach().clone() for part in (model.denoiser, model.text_encoder) for p in part.parameters()]


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    return len(one) == len(other) and all(map(torch.equal, one, other))


def run(
    recipe: LatentRecipe,
    vae: AutoencoderKL,
    spec: CaptionSpec,
    checkpoints: Path | None = None,
    kill_at: int | None = None,
) -> tuple[TextToImage, WeightPosterior, TrainingLog]:
    def on_step(step: int, _loss: float) -> None:
        if step == kill_at:
            raise Killed

    model = untrained(recipe, vae, spec)
    data = CaptionedLatents(model, FACES, Captions(spec, FACES.names), recipe.caption_dropout)
    posteriors, log = train(model, data, recipe.training, checkpoints, on_step, posteriors=[SNAPSHOTS])
    return model, posteriors[SNAPSHOTS], log


def test_initial_weights_are_the_train_seed_s_alone(
    tiny_latent_recipe: LatentRecipe, vae: AutoencoderKL, spec: CaptionSpec
) -> None:
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = weights(untrained(tiny_latent_recipe, vae, spec))
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert same(first, weights(untrained(tiny_latent_recipe, vae, spec)))
    training = tiny_latent_recipe.training.model_copy(update={"seed": 1})
    other = weights(untrained(tiny_latent_recipe.model_copy(update={"training": training}), vae, spec))
    # Biases and norms begin as constants, whatever the seed.
    assert not any(torch.equal(a, b) for a, b in zip(first, other, strict=True) if a.unique().numel() > 1)


def test_the_pipeline_s_parts_fit(tiny_latent_recipe: LatentRecipe, vae: AutoencoderKL, spec: CaptionSpec) -> None:
    model = untrained(tiny_latent_recipe, vae, spec)
    assert model.max_tokens == tiny_latent_recipe.text_encoder.max_tokens == 24
    assert model.text_encoder.config.vocab_size == len(model.tokenizer)
    assert model.condition(["a portrait with a hat"]).shape == (1, 24, 16)
    # The text encoder was told which token is the end: it pools at the first of them.
    output = model.text_encoder(torch.tensor(model.tokenizer(["a portrait"], padding="max_length").input_ids))
    assert torch.equal(output.pooler_output, output.last_hidden_state[:, 3])
    assert model.encode(FACES.images).shape == (60, 4, 8, 8)


def test_batches_are_the_encoded_images_with_their_captions(
    tiny_latent_recipe: LatentRecipe, vae: AutoencoderKL, spec: CaptionSpec
) -> None:
    model, captions = untrained(tiny_latent_recipe, vae, spec), Captions(spec, FACES.names)
    data = CaptionedLatents(model, FACES, captions, 0.0)
    assert len(data) == 60
    index = torch.tensor([7, 3, 59])
    x0, condition = data.batch(index, torch.Generator().manual_seed(4))
    torch.testing.assert_close(x0, model.encode(FACES.images[index]))
    prompts = captions.drawn(FACES.concepts[index], torch.Generator().manual_seed(4))
    assert torch.equal(condition, model.condition(prompts))


@pytest.mark.parametrize("dropout", [0.0, 0.25])
def test_that_share_of_captions_is_dropped(
    tiny_latent_recipe: LatentRecipe,
    vae: AutoencoderKL,
    spec: CaptionSpec,
    monkeypatch: pytest.MonkeyPatch,
    dropout: float,
) -> None:
    model = untrained(tiny_latent_recipe, vae, spec)
    data = CaptionedLatents(model, FACES, Captions(spec, FACES.names), dropout)
    shown: list[str] = []
    monkeypatch.setattr(model, "condition", lambda prompts: (shown.extend(prompts), torch.zeros(1))[1])
    index = torch.arange(2400) % 60
    data.batch(index, torch.Generator().manual_seed(0))
    dropped = [prompt == "" for prompt in shown]
    # Four standard deviations of a binomial of 2400.
    assert sum(dropped) / 2400 == pytest.approx(dropout, abs=4 * (dropout * (1 - dropout) / 2400) ** 0.5)
    hats = FACES.shows("hat")[index].tolist()
    for prompt, hat, drop in zip(shown, hats, dropped, strict=True):
        assert drop or ("hat" in prompt) == hat


def test_captions_are_drawn_anew(tiny_latent_recipe: LatentRecipe, vae: AutoencoderKL, spec: CaptionSpec) -> None:
    model = untrained(tiny_latent_recipe, vae, spec)
    data = CaptionedLatents(model, FACES, Captions(spec, FACES.names), 0.0)
    with torch.no_grad():
        one, two = (data.batch(torch.arange(60), torch.Generator().manual_seed(seed))[1] for seed in (0, 1))
    assert not torch.equal(one, two)


def test_training_learns_and_moves_denoiser_and_text_encoder_and_nothing_else(
    tiny_latent_recipe: LatentRecipe, vae: AutoencoderKL, spec: CaptionSpec
) -> None:
    before = [p.clone() for p in vae.parameters()]
    training = tiny_latent_recipe.training.model_copy(update={"steps": 32, "ema_decay": None, "learning_rate": 0.005})
    recipe = tiny_latent_recipe.model_copy(update={"training": training})
    model, posterior, log = run(recipe, vae, spec)
    assert log.losses[-1] < 0.8 * log.losses[0]
    assert (log.forward, log.images) == (256, 60)
    assert same(before, list(vae.parameters()))
    start = untrained(recipe, vae, spec)
    assert not any(map(torch.equal, weights(model), weights(start)))
    assert list(posterior.std) == [name for name, _ in model.denoiser.named_parameters()]


def test_two_trainings_are_equal_to_the_bit(
    tiny_latent_recipe: LatentRecipe, vae: AutoencoderKL, spec: CaptionSpec
) -> None:
    torch.manual_seed(1)
    (one, posterior, log), (two, posterior_again, log_again) = (run(tiny_latent_recipe, vae, spec) for _ in range(2))
    assert same(weights(one), weights(two))
    assert all(torch.equal(std, posterior_again.std[name]) for name, std in posterior.std.items())
    assert log.losses == log_again.losses


@pytest.mark.parametrize("kill_at", [0, 5, 7])
def test_resumes_bit_for_bit_the_text_encoder_included(
    tiny_latent_recipe: LatentRecipe,
    vae: AutoencoderKL,
    spec: CaptionSpec,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kill_at: int,
) -> None:
    monkeypatch.setattr(resuming, "CHECKPOINT_SECONDS", 0.0)
    whole, posterior, log = run(tiny_latent_recipe, vae, spec)
    with pytest.raises(Killed):
        run(tiny_latent_recipe, vae, spec, tmp_path, kill_at)
    again, posterior_again, log_again = run(tiny_latent_recipe, vae, spec, tmp_path)
    assert same(weights(whole), weights(again))
    assert all(torch.equal(std, posterior_again.std[name]) for name, std in posterior.std.items())
    assert log.losses == log_again.losses


def test_the_average_covers_the_text_encoder(
    tiny_latent_recipe: LatentRecipe, vae: AutoencoderKL, spec: CaptionSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against an average by hand: decay min(0.9, (1 + t) / (10 + t)) after step t, as diffusers warms it up."""
    model = untrained(tiny_latent_recipe, vae, spec)
    data = CaptionedLatents(model, FACES, Captions(spec, FACES.names), 0.1)
    average = weights(model)
    raw: list[Tensor] = []

    def follow(step: int, _loss: float) -> None:
        decay = min(0.9, (1 + step) / (10 + step)) if step > 0 else 0.0
        raw[:] = weights(model)
        average[:] = [decay * a + (1 - decay) * w for a, w in zip(average, raw, strict=True)]

    steps: list[int] = []
    finish = Fit.finish
    monkeypatch.setattr(Fit, "finish", lambda self: (steps.append(self.step), finish(self))[1])
    train(model, data, tiny_latent_recipe.training, on_step=follow)
    assert steps == [8]
    for found, expected, last in zip(weights(model), average, raw, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
        assert not torch.equal(found, last)
