"""What the baselines for text-to-image models have in common: their settings, and what they do without a need."""

from __future__ import annotations

from typing import Any

import pytest
from prompted import context_of

from vdu_bench.errors import RegimeError, UserError
from vdu_bench.methods.catalog import make_method, method_facts
from vdu_bench.methods.method import Method
from vdu_bench.methods.search import Choice, Range
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM

METHODS = ("concept_ablation", "uce", "rece", "spm", "forget_me_not", "adv_unlearn")
QUICK: dict[str, dict[str, Any]] = {
    "concept_ablation": {"steps": 1, "batch_size": 2, "images": 2},
    "spm": {"steps": 1, "batch_size": 2, "x_t_steps": 2},
    "forget_me_not": {"steps": 1, "batch_size": 2},
    "adv_unlearn": {"steps": 1, "batch_size": 2, "preserve_batch": 2, "images": 2, "attack_steps": 1},
}
NO_LAYER = r"no weight's name fits '\*attn2\.to_\[kv\]\.weight'"
REFUSALS = {
    **dict.fromkeys(("concept_ablation", "uce", "rece"), NO_LAYER),
    "spm": "a UNet2DModel of this configuration has no cross-attention to train",
    "forget_me_not": "forget_me_not: the network has no cross-attention",
    "adv_unlearn": "adv_unlearn: an unconditional model has no text encoder to train",
}


def made(name: str) -> Method:
    return make_method(name, QUICK.get(name, {}))


@pytest.mark.parametrize("name", METHODS)
def test_published_settings_are_settings(name: str) -> None:
    presets = type(make_method(name, {}).settings).presets
    assert "published" in presets
    for preset, values in presets.items():
        settings = make_method(name, {"preset": preset}).settings
        assert {key: getattr(settings, key) for key in values} == values


@pytest.mark.parametrize("name", METHODS)
def test_what_tuning_may_choose_is_in_range_and_so_is_the_default(name: str) -> None:
    default = make_method(name, {}).settings
    for key, space in type(default).search.items():
        if isinstance(space, Choice):
            ends = space.values
            assert getattr(default, key) in (*space.values, "auto")
        else:
            assert isinstance(space, Range)
            number = int if space.integer else float
            ends = (number(space.low), number(space.high))
            assert space.low <= getattr(default, key) <= space.high
        for value in ends:
            assert getattr(make_method(name, {key: value}).settings, key) == value


@pytest.mark.parametrize("name", METHODS)
def test_a_sweep_has_a_strength(name: str) -> None:
    method = make_method(name, {})
    assert isinstance(getattr(method.settings, method.strength), int | float)


@pytest.mark.parametrize("name", METHODS)
def test_each_of_its_needs_is_needed(
    name: str, tiny_text_to_image: TextToImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs = method_facts(name).needs
    for need in needs:
        method = made(name)
        monkeypatch.setattr(method, "needs", tuple(other for other in needs if other != need), raising=False)
        with pytest.raises(RegimeError, match=f"the method uses {need} without naming it"):
            method.unlearn(tiny_text_to_image, context_of(tiny_text_to_image, method))


@pytest.mark.parametrize("name", METHODS)
def test_an_unconditional_model_is_refused(name: str, tiny_model: UnconditionalDDPM) -> None:
    method = made(name)
    assert method_facts(name).supports == method.supports == ("text_to_image",)
    with pytest.raises(UserError, match=REFUSALS[name]):
        method.unlearn(tiny_model, context_of(tiny_model, method))
