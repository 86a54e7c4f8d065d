from __future__ import annotations

import pytest

from vdu_bench.errors import UserError
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.models.selection import selected_parameters

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


def test_an_unknown_selection_is_named(tiny_model: UnconditionalDDPM) -> None:
    with pytest.raises(UserError, match="'cross_atention'; did you mean 'cross_attention'"):
        selected_parameters(tiny_model.denoiser, "cross_atention")  # type: ignore[arg-type]
