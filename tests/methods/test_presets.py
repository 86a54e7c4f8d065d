"""Settings under a name: what they set, and what goes over them."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import pytest
from pydantic import BaseModel, Field

from vdu_bench.errors import UserError
from vdu_bench.methods.method import LossMethod, Method
from vdu_bench.methods.settings import Configured, WithPresets, beside, is_published
from vdu_bench.metrics.metric import Metric
from vdu_bench.models.specs import FitSpec
from vdu_bench.probes.probe import Probe
from vdu_bench.spec import Spec


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


class Inner(Spec):
    """Two values."""

    a: float = 1.0
    b: tuple[int, ...] = (0,)


class Nested(Configured):
    """Has settings in a setting."""

    class Settings(Spec):
        """A spec and a mapping."""

        inner: Inner = Inner(a=5.0)
        by_name: dict[str, int] = Field({"x": 1, "y": 2})

    settings: Settings


def test_a_part_of_a_setting_leaves_the_rest_of_it() -> None:
    settings = Nested(inner={"b": [1, 2]}, by_name={"x": 3}).settings
    assert settings.model_dump() == {"inner": {"a": 5.0, "b": (1, 2)}, "by_name": {"x": 3, "y": 2}}
    assert Nested(inner=Inner(a=2.0)).settings.inner == Inner(a=2.0)
    with pytest.raises(UserError, match="Nested has no setting 'inner.c'"):
        Nested(inner={"c": 1})


def test_settings_that_would_take_anything_are_refused() -> None:
    class Anything(BaseModel):
        strength: float = 1.0

    with pytest.raises(TypeError, match="Plain.Settings derives from none of the suite's"):
        type("Plain", (Configured,), {"Settings": Anything})
    with pytest.raises(TypeError, match="Plain.Settings derives from none of the suite's"):
        type("Plain", (Configured,), {"Settings": int})
    with pytest.raises(TypeError, match=r"Plain.Settings derives not from LossMethod\.Settings"):
        type("Plain", (LossMethod,), {"Settings": Inner})


@pytest.mark.parametrize(
    ("base", "attributes", "words"),
    [
        (Probe, {"needs": "forget_images"}, "needs is 'forget_images': it is a tuple of some of 'pairs'"),
        (Probe, {"needs": ("forget",)}, "'forget' in it is none of 'pairs'"),
        (Probe, {"supports": ("text-to-image",)}, "'text-to-image' in it is none of 'unconditional', 'text_to_image'"),
        (Method, {"supports": "unconditional"}, "supports is 'unconditional': it is a tuple of some of"),
        (Metric, {"kinds": ("text-to-image",)}, "'text-to-image' in it is none of"),
        (Metric, {"tolerance": 2}, "tolerance is 2, and not a number as text"),
    ],
)
def test_misspelt_facts_are_refused_where_the_class_is_made(base: type, attributes: dict[str, Any], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        type("Mine", (base,), attributes)
