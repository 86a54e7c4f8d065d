"""The faces tasks: their prompts say what they should, and every part of their recipe fits the others."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL

from vdu_bench.data.captions import Captions, words_of
from vdu_bench.data.sources.faces import NAMES, PAIRED, load_faces
from vdu_bench.judges.classifier.networks import make_network
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.specs import LatentRecipe
from vdu_bench.tasks.loading import read_tasks
from vdu_bench.tasks.prompts import PromptSpec
from vdu_bench.tasks.task import Task

FILE = Path(__file__).parents[2] / "vdu_bench" / "tasks" / "catalog" / "faces.yaml"
TASKS = {task.name: task for task in read_tasks(FILE)}


@pytest.fixture(scope="module")
def model() -> TextToImage:
    """The family's pipeline, untrained."""
    task = TASKS["faces_hats"]
    assert isinstance(task.recipe, LatentRecipe)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        vae = AutoencoderKL(**task.recipe.autoencoder.network)
    return TextToImage.from_recipe(task.recipe, vae, words_of(prompts_of(task).captions)).freeze()


def prompts_of(task: Task) -> PromptSpec:
    assert task.prompts is not None
    return task.prompts


def asked(prompt: str, captions: PromptSpec) -> set[str]:
    """The features that a prompt names, by the words of captions."""
    phrases = {
        f" {phrase.removeprefix('a ')} ": name for name, all_ in captions.captions.phrases.items() for phrase in all_
    }
    return {name for phrase, name in phrases.items() if phrase in f" {prompt} "}


def test_there_is_a_task_for_every_feature_with_pairs() -> None:
    assert {task.forget for task in TASKS.values()} == set(PAIRED) == {"hat", "eyeglasses", "bangs"}


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_prompts_ask_for_what_they_are_filed_under(task: Task) -> None:
    prompts = prompts_of(task)
    for prompt in prompts.forget:
        assert task.forget in asked(prompt, prompts), prompt
    for prompt in prompts.concept:
        assert asked(prompt, prompts) == {task.forget}, prompt
    for prompt in prompts.tuning:
        assert asked(prompt, prompts) > {task.forget}, prompt
    for prompt in prompts.preserve:
        assert len(asked(prompt, prompts) - {task.forget}) == len(asked(prompt, prompts)) == 1, prompt
    for prompt, features in [*prompts.retain.items(), *prompts.tuning_retain.items()]:
        assert set(features) <= set(NAMES)
        assert asked(prompt, prompts) == set(features), prompt
    assert asked(prompts.anchor, prompts) == set()
    # Every other feature is asked for, and so is none, or its loss would not be seen.
    covered = {feature for features in prompts.retain.values() for feature in features}
    assert covered | {task.forget} == set(NAMES)
    assert () in prompts.retain.values()


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_every_prompt_is_a_caption_of_its_half_and_the_subjects_take_turns(task: Task) -> None:
    prompts = prompts_of(task)
    given, judged = prompts.given_captions, prompts.judged_captions
    assert (given.subjects, judged.subjects) == (
        ("a portrait of a person", "a pixel art portrait"), ("a portrait", "a person"),
    )  # fmt: skip
    assert (len(prompts.forget), len(prompts.retain)) == (5, 8)
    for prompt in [*prompts.forget, *prompts.retain]:
        assert judged.makes(prompt), prompt
        assert not given.makes(prompt), prompt
    for prompt in [*prompts.concept, *prompts.kept, *prompts.tuning, *prompts.tuning_retain]:
        assert given.makes(prompt), prompt
        assert not judged.makes(prompt), prompt
    for asked_for in (prompts.forget, tuple(prompts.retain)):
        of_persons = sum(prompt.startswith("a person") for prompt in asked_for)
        assert abs(2 * of_persons - len(asked_for)) <= 1
    # In words that methods have met, all of them.
    words = {word for prompt in [*prompts.concept, *prompts.kept] for word in prompt.split()}
    assert {word for subject in judged.subjects for word in subject.split()} <= words


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_prompts_can_be_asked_of_the_model(task: Task, model: TextToImage) -> None:
    prompts = prompts_of(task)
    asked_for = prompts.every
    model.check_prompts(len(asked_for), asked_for)
    # A misspelt word is spelt out.
    rephrased = {prompt for said in prompts.rephrased.values() for prompt in said}
    plain = [prompt for prompt in asked_for if prompt not in rephrased]
    words = {word for prompt in plain for word in prompt.replace(",", " ,").split()}
    assert words <= set(words_of(prompts.captions))
    vocabulary = model.tokenizer.get_vocab()
    assert all(f"{word}</w>" in vocabulary for word in words)
    tokens = {token for prompt in asked_for for token in model.tokenizer(prompt).input_ids[1:-1]}
    assert model.tokenizer.unk_token_id not in tokens


def test_captions_fit_for_every_portrait_there_is(model: TextToImage) -> None:
    captions, faces = Captions(prompts_of(TASKS["faces_hats"]).captions, NAMES), load_faces()
    pairs = [half for pair in faces.pairs.values() for half in (pair.concepts_without, pair.concepts_with)]
    different = torch.cat([faces.train.concepts, faces.held_out.concepts, *pairs]).unique(dim=0)
    generator = torch.Generator().manual_seed(0)
    drawn = [*captions.plain(different), *captions.drawn(different.repeat(40, 1), generator)]
    model.check_prompts(len(drawn), drawn)
    assert max(len(model.tokenizer(caption).input_ids) for caption in drawn) > model.max_tokens - 4


def test_the_parts_fit_the_images_and_each_other(model: TextToImage) -> None:
    task = TASKS["faces_hats"]
    images = load_faces().held_out.images[:2]
    x0 = model.encode(images)
    assert x0.shape == (2, 4, 8, 8)
    assert model.decode(x0).shape == images.shape
    t = torch.tensor([1, 2])
    condition = model.condition(["a hat", ""])
    assert model.predict_noise(x0, t, condition).shape == x0.shape
    judge = make_network(task.judge, (3, 16, 16), len(NAMES) + 1).eval()
    assert judge(torch.zeros(2, 3, 16, 16)).shape == (2, 6)


def test_the_pipeline_is_as_large_as_its_title_says(model: TextToImage) -> None:
    parts = (model.denoiser, model.vae, model.text_encoder)
    weights = sum(p.numel() for part in parts for p in part.parameters())
    assert all(f"{weights / 1e6:.1f} M weights" in task.title for task in TASKS.values())


def test_the_schedule_is_stable_diffusion_s(model: TextToImage) -> None:
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000).square()
    torch.testing.assert_close(model.alphas_cumprod, (1 - betas).cumprod(0))
