"""Which real images are right answers, and how much each counts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vdu_bench.data.image_set import ImageSet
from vdu_bench.data.sources.digits import load_digits
from vdu_bench.data.sources.faces import NAMES
from vdu_bench.metrics.frechet import feature_statistics
from vdu_bench.metrics.reference import Reference
from vdu_bench.tasks.prompts import PromptSpec
from vdu_bench.tasks.task import Task


def faces(*shown: str) -> ImageSet:
    concepts = torch.tensor([[name in image.split() for name in NAMES] for image in shown])
    return ImageSet(torch.zeros(len(shown), 3, 2, 2, dtype=torch.uint8), concepts, NAMES)


def asking(task: Task, **changes: object) -> Task:
    assert isinstance(task.prompts, PromptSpec)
    return task.model_copy(update={"prompts": task.prompts.model_copy(update=changes)})


IMAGES = faces("", "", "", "eyeglasses", "eyeglasses hat", "bangs", "eyeglasses bangs", "eyeglasses", "hat", "")


def test_an_answer_shows_what_is_asked_for_and_nothing_else_that_has_a_phrase(tiny_faces_task: Task) -> None:
    task = asking(tiny_faces_task, retain={"a person": (), "with glasses": ("eyeglasses",), "a portrait": ()})
    found = Reference.of(IMAGES, task)
    assert {prompt: rows.tolist() for prompt, rows in found.answers.items()} == {
        "a person": [0, 1, 2, 9],
        "with glasses": [3, 7],
        "a portrait": [0, 1, 2, 9],
    }
    assert found.rows.tolist() == [0, 1, 2, 3, 7, 9]
    # Two of three prompts share four images, the third has two.
    assert found.weights == pytest.approx([1 / 6, 1 / 6, 1 / 6, 1 / 6, 1 / 6, 1 / 6])
    assert found.effective == pytest.approx(6)


def test_where_captions_name_some_features_alone_others_may_show(tiny_faces_task: Task) -> None:
    prompts = tiny_faces_task.prompts
    phrases = {name: prompts.captions.phrases[name] for name in ("hat", "eyeglasses")}
    captions = prompts.captions.model_copy(update={"phrases": phrases})
    task = asking(tiny_faces_task, captions=captions, retain={"a person": (), "with glasses": ("eyeglasses",)})
    found = Reference.of(IMAGES, task)
    assert {prompt: rows.tolist() for prompt, rows in found.answers.items()} == {
        "a person": [0, 1, 2, 3, 5, 6, 7, 9],
        "with glasses": [3, 6, 7],
    }
    weights = dict(zip(found.rows.tolist(), found.weights, strict=True))
    assert weights[0] == pytest.approx(1 / 16)
    assert weights[3] == pytest.approx(1 / 16 + 1 / 6)
    assert sum(weights.values()) == pytest.approx(1)
    assert found.effective == pytest.approx(1 / sum(w**2 for w in weights.values()))
    assert found.description("training").startswith("8 training images that show what one of 2 retain prompts asks")
    assert found.description("training").endswith(f"as if there were {found.effective:.0f}")


def test_a_prompt_that_nothing_answers_is_named_and_never_dropped(tiny_faces_task: Task) -> None:
    found = Reference.of(IMAGES, asking(tiny_faces_task, retain={"a person": (), "a fringe": ("bangs", "beard")}))
    assert found.missing == "none of the 10 real images answers 'a fringe' without hat and no other feature"
    with pytest.raises(ValueError, match="answers 'a fringe' without hat"):
        _ = found.weights
    assert len(found.balanced(10, "any")) == 0


def test_without_prompts_it_is_all_images_without_the_class(tiny_task: Task) -> None:
    train = load_digits().train
    found = Reference.of(train, tiny_task)
    assert found.weights is None
    assert torch.equal(found.rows, (~train.shows(tiny_task.forget)).nonzero().flatten())
    assert found.description("training") == f"{len(found.rows)} training images that do not show {tiny_task.forget}"
    assert found.balanced(7, "any").unique().shape == (7,)
    assert torch.equal(found.balanced(10**6, "any").sort().values, found.rows)


def test_a_balanced_draw_answers_the_prompts_in_turn_with_different_images(tiny_faces_task: Task) -> None:
    retain = {"a person": (), "with glasses": ("eyeglasses",), "a portrait": ()}
    found = Reference.of(IMAGES, asking(tiny_faces_task, retain=retain))
    rows = found.balanced(100, "any")
    assert len(rows) == len(rows.unique()) == 6
    for place, row in enumerate(rows.tolist()):
        assert row in found.answers[list(retain)[place % 3]]
    assert torch.equal(found.balanced(100, "any"), rows)
    assert len(found.balanced(4, "any")) == 4


def test_images_that_a_scarce_prompt_needs_are_left_to_it(tiny_faces_task: Task) -> None:
    images = faces(*["eyeglasses"] * 3, *[""] * 40)
    captions = tiny_faces_task.prompts.captions.model_copy(update={"phrases": {"hat": ("a hat",)}})
    # Everything answers the first prompt, three images the second.
    task = asking(tiny_faces_task, captions=captions, retain={"a person": (), "with glasses": ("eyeglasses",)})
    rows = Reference.of(images, task).balanced(100, "any")
    assert sorted(rows[1::2].tolist()) == [0, 1, 2]
    assert len(rows) == len(rows.unique()) == 6


def test_weights_are_how_often_an_image_would_stand_there() -> None:
    rng = np.random.default_rng(0)
    features, times = torch.from_numpy(rng.random((5, 2))), np.array([1, 2, 3, 1, 3])
    found = feature_statistics(features, times / times.sum())
    repeated = np.repeat(features.numpy(), times, axis=0)
    assert found["mu"] == pytest.approx(repeated.mean(0))
    share = times / times.sum()
    biased = np.cov(repeated, rowvar=False, bias=True)
    assert found["sigma"] == pytest.approx(biased / (1 - np.square(share).sum()))
    alike, plain = feature_statistics(features, np.full(5, 0.2)), feature_statistics(features)
    assert alike["mu"] == pytest.approx(plain["mu"])
    assert alike["sigma"] == pytest.approx(plain["sigma"])
