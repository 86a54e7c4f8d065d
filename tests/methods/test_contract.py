"""What a method is made with, and what it says of itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from prompted import context_of

from vdu_bench.errors import UserError
from vdu_bench.methods.catalog import METHODS, make_method, method_facts
from vdu_bench.methods.method import LossMethod, Method
from vdu_bench.methods.original import Original
from vdu_bench.methods.vdu import VDU
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM


def test_settings_are_keywords() -> None:
    method = VDU(gamma=0.3, weights=["cross_attention", "conv_in.*"])
    assert (method.settings.gamma, method.settings.steps) == (0.3, VDU.Settings().steps)
    assert method.settings.weights == ("cross_attention", "conv_in.*")
    assert VDU().settings == VDU(VDU.Settings()).settings == VDU.Settings()
    assert VDU(gamma=0.3).settings == make_method("vdu", {"gamma": 0.3}).settings


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"gama": 0.3}, "VDU has no setting 'gama'; did you mean 'gamma'"),
        ({"gamma": 2}, "VDU.gamma=2: it should be less than or equal to 1"),
        ({"weights": "cross_atention"}, "VDU.weights='cross_atention': .*did you mean 'cross_attention'"),
        ({"settings": 3}, "VDU has no setting 'settings'"),
    ],
)
def test_a_wrong_one_is_named(values: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        VDU(**values)
    with pytest.raises(UserError, match=message.replace("VDU", "vdu")):
        make_method("vdu", values)


def test_a_method_without_settings_says_so() -> None:
    with pytest.raises(UserError, match="Original has no setting 'gamma'; it has none"):
        Original(gamma=1)


def test_settings_are_not_given_twice() -> None:
    with pytest.raises(TypeError, match="VDU is given its settings twice"):
        VDU(VDU.Settings(), gamma=0.3)


def test_steps_are_the_loop_s_and_otherwise_one() -> None:
    assert (VDU(steps=7).steps, Original().steps) == (7, 1)


def test_preparing_makes_the_posterior_once(tiny_text_to_image: TextToImage, monkeypatch: pytest.MonkeyPatch) -> None:
    method = VDU(steps=1, batch_size=2, error_cap=None)
    context = context_of(tiny_text_to_image, method)
    asked: list[tuple[str, ...]] = []
    posterior = context._posterior
    monkeypatch.setattr(context, "_posterior", lambda names: (asked.append(names), posterior(names))[1])
    method.prepare(tiny_text_to_image, context)
    assert posterior.cache_info().misses == 1
    method.unlearn(tiny_text_to_image, context)
    assert posterior.cache_info().misses == 1
    assert asked == [tuple(method.selection(tiny_text_to_image))] * 2


class Silent(LossMethod):
    """Says neither loss nor gradients."""


def test_a_method_has_to_say_its_loss(tiny_text_to_image: TextToImage) -> None:
    method = Silent(steps=1)
    with pytest.raises(NotImplementedError, match="Silent says neither loss nor gradients"):
        method.unlearn(tiny_text_to_image, context_of(tiny_text_to_image, method))


class Cheat(Method):
    """Hands back the gold standard."""

    supports = ("unconditional", "text_to_image")
    needs = ("retrained",)

    def unlearn(self, model, context):  # noqa: ARG002
        return context.retrained()


class Inherited(Cheat):
    """Names its needs where no literal is."""


@pytest.mark.parametrize("name", ["Cheat", "Inherited"])
def test_a_contestant_that_names_the_retrained_model_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    METHODS.add("cheat", f"{__name__}:{name}", Path(__file__))
    monkeypatch.setitem(METHODS._loaded, "cheat", globals()[name])
    with pytest.raises(UserError, match="'cheat' needs 'retrained', which its role, 'contestant', may not have"):
        method_facts("cheat")


def test_the_reference_row_may_have_it() -> None:
    assert method_facts("retrain").needs == ("retrained",)
    assert method_facts("original").needs == ()


def test_a_pattern_is_a_setting_of_every_method(tiny_model: UnconditionalDDPM) -> None:
    method = make_method("gradient_ascent", {"weights": "conv_*.bias"})
    assert isinstance(method, LossMethod)
    assert list(method.selection(tiny_model)) == ["conv_in.bias", "conv_norm_out.bias", "conv_out.bias"]
