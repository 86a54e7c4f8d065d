"""The captions' subjects in two halves: no judged prompt is anything that a method is told."""

from __future__ import annotations

from typing import Any

import pytest
from prompted import PROMPTS
from pydantic import ValidationError

from vdu_bench.engine.usage import told, usage
from vdu_bench.tasks.prompts import PromptSpec
from vdu_bench.tasks.task import Task

CONTENT: dict[str, Any] = {
    "captions": {
        "subjects": ["a portrait of a person", "a portrait", "a person"],
        "phrases": {"hat": ["a hat"], "beard": ["a beard"]},
    },
    "judged_subjects": ["a portrait", "a person"],
    "forget": ["a portrait with a hat", "a person with a hat"],
    "retain": {"a portrait": [], "a person with a beard": ["beard"]},
    "concept": ["a portrait of a person with a hat"],
    "anchor": "a portrait of a person",
    "preserve": ["a portrait of a person with a beard"],
    "tuning": ["a portrait of a person with a hat and a beard"],
    "tuning_retain": {"a picture of nothing": []},
}


def spec(**changes: Any) -> PromptSpec:
    return PromptSpec.model_validate({**CONTENT, **changes})


def test_each_half_has_its_captions_and_the_base_has_all() -> None:
    prompts = spec()
    assert prompts.given_captions.subjects == ("a portrait of a person",)
    assert prompts.judged_captions.subjects == ("a portrait", "a person")
    assert prompts.captions.subjects == ("a portrait of a person", "a portrait", "a person")
    assert prompts.given_captions.phrases == prompts.judged_captions.phrases == prompts.captions.phrases
    # What a base's address is made of.
    assert prompts.captions.model_dump(mode="json") == CONTENT["captions"]


def test_the_plain_caption_of_a_half_has_its_first_subject_as_the_task_lists_them() -> None:
    assert spec(judged_subjects=["a person", "a portrait"]).judged_captions.subjects[0] == "a person"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"judged_subjects": []}, "judged_subjects: name some of captions.subjects"),
        ({"judged_subjects": ["a face"]}, "'a face' is none of captions.subjects"),
        ({"judged_subjects": CONTENT["captions"]["subjects"]}, "none is left to give to methods"),
        ({"forget": ["a portrait of a person with a hat"]}, "both a forget and a concept prompt"),
        # What forget images are captioned by.
        ({"forget": ["a portrait of a person with a beard and a hat"]}, "forget: .* a subject of the given half"),
        ({"retain": {"A portrait of a person  wearing glasses": []}}, "retain: .* a subject of the given half"),
        ({"concept": ["a person in a hat"]}, "concept: .* a subject of the judged half, a portrait, a person; begin"),
        ({"anchor": "a person"}, "anchor: 'a person' begins with a subject of the judged half"),
        ({"preserve": ["a portrait with a beard"]}, "preserve: .* judged half"),
        ({"tuning": ["a person with a hat and a beard"]}, "tuning: .* judged half"),
        ({"tuning_retain": {"a portrait with a beard": []}}, "tuning_retain: .* judged half"),
        ({"tuning": ["a portrait of a person with a hat"]}, "both a concept and a tuning prompt"),
        ({"tuning_retain": {"a portrait of a person": []}}, "both a anchor and a tuning_retain prompt"),
    ],
)
def test_all_sets_are_held_apart(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        spec(**changes)


def test_a_caption_of_the_other_half_is_found_whatever_it_begins_with() -> None:
    # "a person with a hat" is a judged subject here, and yet what a hat's image is called under "a person".
    captions = {"subjects": ["a person", "a person with a hat"], "phrases": CONTENT["captions"]["phrases"]}
    sets = {"forget": ["a person with a hat"], "retain": {"a cat": []}, "concept": ["hats"], "anchor": "a person"}
    rest = {"preserve": [], "tuning": [], "tuning_retain": {}}
    with pytest.raises(ValidationError, match="forget: 'a person with a hat'"):
        spec(captions=captions, judged_subjects=["a person with a hat"], **sets, **rest)


def test_prompts_that_begin_with_no_subject_are_free() -> None:
    assert spec(forget=["somebody in a hat"], concept=["hats, hats, hats"]).forget == ("somebody in a hat",)


def test_another_judged_prompt_makes_another_look_and_the_same_model(tiny_faces_task: Task) -> None:
    assert tiny_faces_task.prompts is not None
    content = tiny_faces_task.prompts.model_dump()

    def changed(**changes: Any) -> Task:
        return tiny_faces_task.model_copy(update={"prompts": PromptSpec.model_validate({**content, **changes})})

    for changes in ({"forget": ["somebody in a hat"]}, {"tuning": ["a hat and a beard"]}):
        assert told(changed(**changes)) == told(tiny_faces_task)
        assert usage(changed(**changes)) != usage(tiny_faces_task)
    subjects = (*content["captions"]["subjects"], "a face")
    for changes in (
        {"concept": ["a hat"]},
        {"anchor": "a face"},
        {"preserve": ["a beard"]},
        {"captions": {**content["captions"], "subjects": subjects}},
    ):
        assert told(changed(**changes)) != told(tiny_faces_task)


def test_sets_are_gone_through_in_turn() -> None:
    assert PROMPTS.cycled("concept", 3) == ["with a hat", "wearing a hat", "with a hat"]
    assert PROMPTS.cycled("forget", 1) == ["a person with a hat"]
    assert spec().cycled("kept", 3) == [CONTENT["anchor"], *CONTENT["preserve"], CONTENT["anchor"]]
