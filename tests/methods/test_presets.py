"""Settings under a name: what they set, and what goes over them."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import pytest
from pydantic import Field

from vdu_bench.errors import UserError
from vdu_bench.methods.settings import Configured, WithPresets, beside, is_published
from vdu_bench.models.specs import FitSpec


class Tuned(FitSpec):
    """Defaults of its own."""

    steps: int = 10
    learning_rate: float = 0.1


class Named(Configured):
    """Something with two presets."""

    class Settings(WithPresets, Tuned):
        """Two presets."""

        presets: ClassVar[dict[str, dict[str, Any]]] = {
            "published": {"steps": 60, "clip_norm": 1.0},
            "published_sd": {"steps": 35},
        }
        preset: Literal["ours", "published", "published_sd"] = Field("ours", description="where they are from")
        alpha: float = Field(0.5, ge=0, description="a setting")

    settings: Settings


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, (10, 0.1, None, 0.5)),
        ({"preset": "ours", "alpha": 2.0}, (10, 0.1, None, 2.0)),
        ({"preset": "published"}, (60, 0.1, 1.0, 0.5)),
        ({"preset": "published_sd"}, (35, 0.1, None, 0.5)),
        ({"preset": "published", "steps": 3, "clip_norm": None}, (3, 0.1, None, 0.5)),
    ],
)
def test_a_preset_holds_where_nothing_else_is_said(values: dict[str, Any], expected: tuple[Any, ...]) -> None:
    settings = Named(**values).settings
    assert (settings.steps, settings.learning_rate, settings.clip_norm, settings.alpha) == expected
    assert Named.Settings.model_validate(settings.model_dump()) == settings


@pytest.mark.parametrize("name", ["publised", ["published"], None])
def test_an_unknown_preset_is_named(name: object) -> None:
    with pytest.raises(UserError, match="Named.preset=.*'ours', 'published' or 'published_sd'"):
        Named(preset=name)


def test_a_preset_is_not_mixed_with_what_a_task_says() -> None:
    given = {"alpha": 3.0}
    assert beside(given, {"steps": 2}) == given
    assert beside(given, {"preset": "published"}) == {}


def test_published_is_the_preset_and_nothing_else() -> None:
    assert is_published({"preset": "published"})
    assert is_published({"preset": "published_sd"})
    assert not any(is_published(own) for own in ({}, {"preset": "ours"}, {"preset": "published", "steps": 2}))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"weight_decay": 0.1}, "weight_decay is adamw's: give optimizer: adamw as well"),
        ({"alpha": float("inf")}, "Named.alpha=inf"),
        ({"learning_rate": float("nan")}, "Named.learning_rate=nan"),
    ],
)
def test_what_would_be_ignored_or_is_no_number_is_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        Named(**values)
