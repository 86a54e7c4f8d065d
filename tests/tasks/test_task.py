"""What a task must say beside each of its keys alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from vdu_bench.models.specs import LatentRecipe, ModelRecipe, PretrainedModel
from vdu_bench.tasks.loading import find_task, with_overrides
from vdu_bench.tasks.task import Task

Content = dict[str, Any]


def changed(task: Task, change: Callable[[Content], object]) -> Task:
    """The task, written out, changed, and read again."""
    content = task.model_dump(mode="json")
    change(content)
    return Task.model_validate(content)


def test_what_is_written_out_is_read_the_same(tiny_task: Task, tiny_faces_task: Task) -> None:
    for task in (tiny_task, tiny_faces_task):
        again = changed(task, lambda _: None)
        assert again == task
        assert again.digest() == task.digest()


def test_prompts_belong_to_text_to_image_models(tiny_task: Task, tiny_faces_task: Task) -> None:
    prompts = tiny_faces_task.model_dump(mode="json")["prompts"]
    with pytest.raises(ValidationError, match="prompts: a text-to-image model needs them"):
        changed(tiny_faces_task, lambda content: content.pop("prompts"))
    with pytest.raises(ValidationError, match="prompts: an unconditional model takes none"):
        changed(tiny_task, lambda content: content.update(prompts=prompts, forget="hat"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c["prompts"]["captions"]["phrases"].pop("hat"), "there is none for 'hat', which is to be forgotten"),
        (lambda c: c["prompts"].update(forget=[]), "at least 1"),
        (lambda c: c["prompts"].update(retain={}), "at least 1"),
        (lambda c: c["prompts"].update(forget=[""]), "at least 1"),
        (lambda c: c["prompts"]["captions"].update(subjects=[]), "at least 1"),
        (lambda c: c["prompts"]["captions"]["phrases"].update(beard=[]), "at least 1"),
        (lambda c: c["prompts"]["forget"].append("a portrait"), "both a forget and a retain prompt"),
        (lambda c: c["prompts"].update(concept=["a portrait"]), "both a retain and a concept prompt"),
        (lambda c: c["prompts"].update(preserve=["a portrait"]), "both a retain and a preserve prompt"),
        (lambda c: c["prompts"].update(preserve=["a Portrait  with a hat"]), "both a forget and a preserve prompt"),
        (lambda c: c["prompts"].pop("concept"), "concept"),
        (lambda c: c["prompts"]["retain"].update({"a portrait with a cap": ["hat"]}), "a cap' asks for 'hat', which"),
        (lambda c: c["prompts"].pop("anchor"), "anchor"),
        (lambda c: c["prompts"].update(anker="a face"), "anker"),
        (lambda c: c["model"].update(caption_dropout=1.0), "less than 1"),
        (lambda c: c["model"].pop("autoencoder"), "autoencoder"),
        (lambda c: c["model"].update(kind="text_to_video"), "kind must be unconditional or text_to_image"),
        (lambda c: c.update(pair_strength=0), "pair_strength"),
        (lambda c: c.update(pair_strength=1.5), "pair_strength"),
        (lambda c: c.update(name="con"), "name: 'con' cannot be used: .* Windows has a device of this name"),
        (lambda c: c.update(family="lpt1"), "family: 'lpt1' cannot be used"),
    ],
)
def test_mistakes_are_named(tiny_faces_task: Task, change: Callable[[Content], object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        changed(tiny_faces_task, change)


def test_a_setting_that_is_younger_than_its_artifacts_is_left_out_at_its_default(tiny_faces_task: Task) -> None:
    prompts = tiny_faces_task.prompts
    assert prompts is not None
    for mode in ("python", "json"):
        assert "preserve" not in prompts.model_dump(mode=mode)
        assert "preserve" not in tiny_faces_task.model_dump(mode=mode)["prompts"]
        assert "autocast" not in tiny_faces_task.model_dump(mode=mode)["model"]["training"]
    told = changed(tiny_faces_task, lambda content: content["prompts"].update(preserve=["a person with a beard"]))
    assert told.prompts is not None
    assert told.model_dump(mode="json")["prompts"]["preserve"] == ["a person with a beard"]
    assert told.digest() != tiny_faces_task.digest()
    assert "a person with a beard" in told.prompts.every
    assert changed(told, lambda content: content["prompts"].update(preserve=[])).digest() == tiny_faces_task.digest()


def test_a_model_without_a_recipe_needs_a_base(tiny_task: Task, tiny_faces_task: Task) -> None:
    for task in (tiny_task, tiny_faces_task):
        kind = {"kind": task.model.kind}
        with pytest.raises(ValidationError, match="base: there is no recipe in model"):
            changed(task, lambda content, kind=kind: content.update(model=kind))
        elsewhere = changed(task, lambda content, kind=kind: content.update(model=kind, base="somebody/something"))
        assert elsewhere.model == PretrainedModel(kind=task.model.kind)
        assert elsewhere.recipe is None


def test_a_base_from_elsewhere_takes_the_recipe_s_place(tiny_task: Task, tiny_faces_task: Task) -> None:
    assert type(tiny_task.recipe) is ModelRecipe
    assert type(tiny_faces_task.recipe) is LatentRecipe
    elsewhere = changed(tiny_faces_task, lambda content: content.update(base="somebody/something"))
    assert elsewhere.recipe is None
    assert elsewhere.model == tiny_faces_task.model
    assert elsewhere.digest() != tiny_faces_task.digest()


@pytest.mark.parametrize(
    ("posterior", "words"),
    [
        ({"source": "snapshot"}, "posterior"),
        ({"source": "checkpoints", "checkpoints": ["one"]}, "at least 2"),
        ({"source": "laplace", "prior_std": 0}, "greater than 0"),
        ({"source": "snapshots", "samples": 3}, "samples"),
    ],
)
def test_a_posterior_is_one_of_three(tiny_task: Task, posterior: Content, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        changed(tiny_task, lambda content: content.update(posterior=posterior))


def test_snapshots_are_of_one_s_own_training(tiny_faces_task: Task) -> None:
    snapshots = {"source": "snapshots"}
    assert changed(tiny_faces_task, lambda content: content.update(posterior=snapshots)).posterior is not None
    with pytest.raises(ValidationError, match="a base from elsewhere has no snapshots; use checkpoints or laplace"):
        changed(tiny_faces_task, lambda content: content.update(posterior=snapshots, base="somebody/something"))
    laplace = {"source": "laplace"}
    changed(tiny_faces_task, lambda content: content.update(posterior=laplace, base="somebody/something"))


def test_where_the_posterior_and_the_models_are_from(tiny_faces_task: Task) -> None:
    assert tiny_faces_task.posterior_source.source == "snapshots"
    assert tiny_faces_task.elsewhere == []
    own = changed(tiny_faces_task, lambda content: content.update(posterior={"source": "laplace"}))
    assert own.posterior_source.source == "laplace"
    base = changed(tiny_faces_task, lambda content: content.update(base="somebody/something"))
    assert base.posterior_source.source == "laplace"
    assert base.elsewhere == ["somebody/something"]
    checkpoints = {"source": "checkpoints", "checkpoints": ["a/b", "./c"]}
    both = changed(base, lambda content: content.update(posterior=checkpoints))
    assert both.posterior_source.source == "checkpoints"
    assert both.elsewhere == ["somebody/something", "a/b", "./c"]


def test_a_change_to_the_default_of_a_younger_key_is_told_by_its_value() -> None:
    task = find_task("digits_1")
    assert with_overrides(with_overrides(task, {"retrain_seeds": 2}), {"retrain_seeds": 1}).changes == {
        "retrain_seeds": 1
    }


def test_what_moves_last_bits_alone_makes_no_variant() -> None:
    task = find_task("digits_1")
    rounded = {"sampler": {"batch_size": 10}, "compute": {"gradient_checkpointing": True, "microbatch": 4}}
    rounded["compute"] |= {"compile": True, "cuda_graphs": True, "channels_last": True}
    thrifty = with_overrides(task, rounded)
    assert thrifty.changes == {}
    assert thrifty.digest() != task.digest(), "found records are of the very same command"
    assert with_overrides(task, {"compute": {"autocast": "tf32"}}).changes == {"compute.autocast": "tf32"}
    fresh = with_overrides(task, {"sampler": {"name": "ddim", "eta": 0.5, "batch_size": 10}})
    assert fresh.changes["sampler.batch_size"] == 10
