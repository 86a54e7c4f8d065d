from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from vdu_bench.errors import UserError
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.models.selection import Weights, selected_parameters

PROJECTIONS = ["to_q.weight", "to_k.weight", "to_v.weight", "to_out.0.weight", "to_out.0.bias"]


@pytest.mark.parametrize(("name", "layer"), [("self_attention", "attn1"), ("cross_attention", "attn2")])
def test_attention_of_stable_diffusion_goes_by_its_layer_s_name(
    tiny_text_to_image: TextToImage, name: str, layer: str
) -> None:
    parameters = dict(tiny_text_to_image.denoiser.named_parameters())
    selected = selected_parameters(tiny_text_to_image.denoiser, name)
    assert list(selected) == [key for key in parameters if f".{layer}." in key]
    assert all(selected[key] is parameters[key] for key in selected)
    # Two attention layers down, one in the middle, four up.
    assert len(selected) == 7 * len(PROJECTIONS)
    assert {key.partition(f".{layer}.")[2] for key in selected} == set(PROJECTIONS)


def test_all_is_everything_in_order(tiny_text_to_image: TextToImage, tiny_model: UnconditionalDDPM) -> None:
    for model in (tiny_text_to_image, tiny_model):
        selected = selected_parameters(model.denoiser, "all")
        assert [*selected.items()] == [*model.denoiser.named_parameters()]


def test_an_unconditional_model_has_self_attention_alone(tiny_model: UnconditionalDDPM) -> None:
    selected = selected_parameters(tiny_model.denoiser, "self_attention")
    assert selected
    assert all(".attentions." in key and "norm" not in key for key in selected)
    with pytest.raises(UserError, match="UNet2DModel .* no cross-attention to train"):
        selected_parameters(tiny_model.denoiser, "cross_attention")


def test_esd_u_in_its_two_versions(tiny_text_to_image: TextToImage) -> None:
    denoiser = tiny_text_to_image.denoiser
    rest = selected_parameters(denoiser, "all_but_cross_attention")
    # The paper's code: no name with attn2 or time_embed in it, none that begins with out.
    paper = selected_parameters(denoiser, "all_but_cross_attention_time_output")
    left_out = {key.partition(".")[0] for key in set(rest) - set(paper)}
    assert left_out == {"time_embedding", "conv_norm_out", "conv_out"}
    assert any("time_emb_proj" in key for key in paper), "the blocks' own layers learn"
    assert any("norm" in key for key in paper)
    # The newest release: convolutions and linear layers, by their class, without attn2.
    layers = selected_parameters(denoiser, "layers_but_cross_attention")
    assert set(rest) - set(layers) == {key for key in rest if "norm" in key}
    assert {"conv_out.weight", "time_embedding.linear_1.bias", "conv_in.weight"} <= set(layers)
    assert not any(".attn2." in key for key in [*paper, *layers])


def test_an_unconditional_model_has_no_esd_u(tiny_model: UnconditionalDDPM) -> None:
    with pytest.raises(UserError, match="no cross-attention"):
        selected_parameters(tiny_model.denoiser, "layers_but_cross_attention")


def test_an_unknown_selection_is_named(tiny_model: UnconditionalDDPM) -> None:
    with pytest.raises(UserError, match="'cross_atention'; did you mean 'cross_attention'"):
        selected_parameters(tiny_model.denoiser, "cross_atention")


def test_a_pattern_is_over_whole_names(tiny_text_to_image: TextToImage) -> None:
    denoiser = tiny_text_to_image.denoiser
    names = [name for name, _ in denoiser.named_parameters()]
    keys_and_values = selected_parameters(denoiser, "*attn2.to_[kv].weight")
    ends = (".attn2.to_k.weight", ".attn2.to_v.weight")
    assert list(keys_and_values) == [name for name in names if name.endswith(ends)]
    assert len(keys_and_values) == 2 * 7
    assert list(selected_parameters(denoiser, "conv_in.weight")) == ["conv_in.weight"]
    assert list(selected_parameters(denoiser, ["conv_out.*", "conv_in.*"])) == [
        *("conv_in.weight", "conv_in.bias", "conv_out.weight", "conv_out.bias")
    ]


def test_selections_and_patterns_go_together(tiny_text_to_image: TextToImage) -> None:
    denoiser = tiny_text_to_image.denoiser
    both = selected_parameters(denoiser, ("cross_attention", "*attn2*", "conv_in.bias"))
    assert set(both) == {*selected_parameters(denoiser, "cross_attention"), "conv_in.bias"}


def test_a_pattern_that_fits_nothing_gets_names_that_are_there(tiny_text_to_image: TextToImage) -> None:
    with pytest.raises(
        UserError, match=r"no weight's name fits 'conv_in.weigth'; there are \d+, such as conv_in.weight,"
    ):
        selected_parameters(tiny_text_to_image.denoiser, "conv_in.weigth")
    with pytest.raises(UserError, match=r"fits 'CONV_IN\*'"):
        selected_parameters(tiny_text_to_image.denoiser, "CONV_IN*")
    with pytest.raises(UserError, match=r"fits 'zz\*'; .* such as conv_in.weight, "):
        selected_parameters(tiny_text_to_image.denoiser, ["all", "zz*"])


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("cross_atention", "no selection of weights 'cross_atention'; did you mean 'cross_attention'"),
        (["all", "auto"], "no selection of weights 'auto'"),
        ([], "no weights are named"),
        ("", "no weights are named"),
    ],
)
def test_a_setting_is_checked_before_anything_is_trained(weights: object, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TypeAdapter(Weights).validate_python(weights)
