from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from vdu_bench.judges.clip.specs import AnyClip, ClipRecipe, PretrainedClip
from vdu_bench.spec import Spec


class Holder(Spec):
    clip: AnyClip


NETWORK = {"embed_dim": 8, "vision_cfg": {"image_size": 16}, "text_cfg": {"width": 16}}
TRAINING = {"steps": 2, "learning_rate": 0.001}
RECIPE = {"name": "clip_faces", "network": NETWORK, "training": TRAINING}


def read(value: Any) -> PretrainedClip | ClipRecipe:
    return Holder.model_validate({"clip": value}).clip


def test_the_papers_is_the_default() -> None:
    assert read({}) == PretrainedClip()
    assert PretrainedClip().name == "ViT-L-14/openai/fp32"
    assert read({"model": "RN50", "weights": "mine", "file": "w.pt", "precision": "bf16"}).name == "RN50/mine/bf16"


@pytest.mark.parametrize("value", [{}, RECIPE])
def test_a_dump_is_read_as_what_it_was(value: dict[str, Any]) -> None:
    clip = read(value)
    assert read(clip.model_dump(mode="json")) == clip
    assert read(clip) == clip


@pytest.mark.parametrize(
    ("wrong", "key", "words"),
    [
        ({"modle": "RN50"}, ("clip", "pretrained", "modle"), "not permitted"),
        ({"precision": "fp8"}, ("clip", "pretrained", "precision"), "fp32"),
        ({"weights": "/data/weights.pt"}, ("clip", "pretrained", "weights"), "pattern"),
        ({**RECIPE, "widht": 3}, ("clip", "trained", "widht"), "not permitted"),
        ({**RECIPE, "name": "ViT-L-14"}, ("clip", "trained", "name"), "pattern"),
        ({"name": "clip_faces", "network": NETWORK}, ("clip", "trained", "training"), "required"),
        ({**RECIPE, "network": {"embed_dim": 8}}, ("clip", "trained", "network"), "vision_cfg"),
        (
            {**RECIPE, "network": {**NETWORK, "text_cfg": {"vocab_size": 9}}},
            ("clip", "trained", "network"),
            "vocab_size is not set here",
        ),
        ("ViT-L-14", ("clip", "pretrained"), "dictionary"),
    ],
)
def test_an_error_names_the_key(wrong: Any, key: tuple[str, ...], words: str) -> None:
    with pytest.raises(ValidationError, match=words) as raised:
        read(wrong)
    assert raised.value.errors()[0]["loc"] == key
