"""What a method or a probe of somebody else's hands back: taken for what it is, or refused in words."""

from __future__ import annotations

import copy
import random
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.models.attention_processor import Attention, AttnProcessor
from torch import nn

from vdu_bench.engine.global_draws import seeded_globals
from vdu_bench.engine.handed_back import check_weights, checked_images, checked_model
from vdu_bench.models.pipelines.stable_diffusion_xl import StableDiffusionXL
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM


def _changed(model: Any) -> Any:
    made = model.clone()
    with torch.no_grad():
        next(made.denoiser.parameters()).add_(0.1)
    return made


def test_other_weights_are_what_is_wanted(
    tiny_model: UnconditionalDDPM, tiny_text_to_image: TextToImage, tiny_xl: StableDiffusionXL
) -> None:
    # From now on there are the library's own hooks in its text encoders.
    tiny_xl.condition(["a hat"])
    assert any(module._forward_hooks for module in tiny_xl.text_encoder.modules())
    for model in (tiny_model, tiny_text_to_image, tiny_xl):
        made = _changed(model)
        assert checked_model(made, "mine") is made
        assert checked_model(model, "mine") is model
        check_weights(made, model, "mine")


@pytest.mark.parametrize("made", [None, 3, "denoiser"])
def test_what_is_no_model_is_told(made: Any, tiny_model: UnconditionalDDPM) -> None:
    given = tiny_model.denoiser if made == "denoiser" else made
    with pytest.raises(TypeError, match=f"mine: unlearn gave a {type(given).__name__}; it returns the DiffusionModel"):
        checked_model(given, "mine")


class OwnProcessor(AttnProcessor):
    """Steers attention."""


def test_what_is_no_weight_would_be_lost_and_is_refused(
    tiny_model: UnconditionalDDPM, tiny_text_to_image: TextToImage
) -> None:
    hooked, forwarded, adapted = (_changed(tiny_model) for _ in range(3))
    hooked.denoiser.conv_out.register_forward_hook(lambda *_: None)
    with pytest.raises(TypeError, match=r"mine: denoiser\.conv_out has a hook, and of a model its weights alone are"):
        checked_model(hooked, "mine")
    forwarded.denoiser.forward = tiny_model.denoiser.forward
    with pytest.raises(TypeError, match="mine: denoiser has a forward of its own"):
        checked_model(forwarded, "mine")
    adapted.denoiser.conv_out = nn.Sequential(adapted.denoiser.conv_out)
    with pytest.raises(TypeError, match=r"has other weights than its configuration says, such as conv_out\."):
        check_weights(adapted, tiny_model, "mine")
    steered = _changed(tiny_text_to_image)
    attention = next(module for module in steered.denoiser.modules() if isinstance(module, Attention))
    attention.set_processor(OwnProcessor())
    with pytest.raises(TypeError, match="has an attention processor of its own, OwnProcessor"):
        checked_model(steered, "mine")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_weights_of_half_precision_are_refused(dtype: torch.dtype, tiny_text_to_image: TextToImage) -> None:
    for part in ("denoiser", "text_encoder"):
        made = copy.copy(_changed(tiny_text_to_image))
        setattr(made, part, copy.deepcopy(getattr(made, part)).to(dtype))
        words = f"mine: the {part} has weights in {str(dtype)[6:]}, such as .*, and a model is kept in float32: give it"
        with pytest.raises(TypeError, match=words):
            check_weights(made, tiny_text_to_image, "mine")
    wide = _changed(tiny_text_to_image)
    wide.denoiser.double()
    check_weights(wide, tiny_text_to_image, "mine")


def test_images_are_bytes_of_the_model_s_size() -> None:
    shape = (1, 8, 8)
    good = {"a": torch.zeros(3, *shape, dtype=torch.uint8)}
    assert checked_images(good, shape, "mine") is good
    assert checked_images({}, shape, "mine") == {}
    wrong: list[tuple[Any, str]] = [
        (good["a"], "draw gave a Tensor; it returns images by name"),
        ({"a": [1]}, "draw gave 'a' with a list"),
        ({1: good["a"]}, "draw gave 1 with a Tensor"),
        (
            {"a": torch.rand(3, *shape)},
            r"'a' is float32 \[3, 1, 8, 8\] on cpu, and not images by name, uint8 \[N, 1, 8,",
        ),
        ({"a": good["a"][0]}, r"'a' is uint8 \[1, 8, 8\]"),
        ({"a": good["a"].repeat(1, 3, 1, 1)}, r"'a' is uint8 \[3, 3, 8, 8\]"),
        ({"a": good["a"].to("meta")}, "on meta"),
    ]
    for drawn, words in wrong:
        with pytest.raises(TypeError, match=words):
            checked_images(drawn, shape, "mine")


def test_global_draws_come_from_the_seed_and_leave_nothing_behind() -> None:
    def draws() -> list[float]:
        return [float(torch.rand(())), float(np.random.rand()), random.random()]  # noqa: NPY002

    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    random.seed(1)
    expected = draws()
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    random.seed(1)
    inside = []
    for seed in (7, 7, 8, 2**62):
        with seeded_globals("cpu", seed):
            inside.append(draws())
    assert draws() == expected
    assert inside[0] == inside[1]
    assert len({tuple(one) for one in inside}) == 3
    with pytest.raises(ValueError, match="broken"), seeded_globals("cpu", 7):
        raise ValueError("broken")
