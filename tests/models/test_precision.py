"""The arithmetic of GPUs is set outright, and a model says what it computes in. The flags are there without a GPU."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import vdu_bench
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.models.precision import Precision, arithmetic, set_arithmetic
from vdu_bench.models.sampling import initial_noise
from vdu_bench.models.specs import ComputeSpec, SamplerSpec

BASE = Path(vdu_bench.__file__).parent / "assets" / "digits" / "base" / "model"


def flags() -> tuple[bool, bool]:
    """Matrix products, convolutions."""
    return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32


def test_tf32_is_on_where_it_is_asked_for_and_then_as_it_was() -> None:
    set_arithmetic("off")
    assert flags() == (False, False)
    with arithmetic("tf32"):
        assert flags() == (True, True)
        with arithmetic("off"):
            assert flags() == (False, False)
        assert flags() == (True, True)
    with pytest.raises(KeyError), arithmetic("tf32"):
        raise KeyError
    assert flags() == (False, False)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_what_autocast_leaves_in_float32_is_computed_in_tf32(precision: Precision) -> None:
    set_arithmetic("off")
    with arithmetic(precision):
        assert flags() == (True, True)
    assert flags() == (False, False)


def test_a_model_on_the_cpu_computes_no_tf32_and_says_so(tiny_model: UnconditionalDDPM) -> None:
    said = {name: tiny_model.computing(ComputeSpec(autocast=name)).precision for name in ("off", "tf32", "bfloat16")}
    assert said == {"off": "float32", "tf32": "float32", "bfloat16": "bfloat16"}
    assert tiny_model.computing(ComputeSpec(autocast="tf32")).autocast is None


def test_images_are_the_same_to_a_level_whatever_the_batch() -> None:
    model = UnconditionalDDPM.load(BASE).freeze()
    noise = initial_noise(40, model.latent_shape, 0)
    whole, *others = (model.sample(40, None, noise, SamplerSpec(batch_size=size)).int() for size in (40, 16, 7, 1))
    for other in others:
        moved = (whole - other).abs()
        assert moved.max() <= 1
        assert (moved > 0).float().mean() < 0.01


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_a_gpu_multiplies_in_float32_proper_unless_asked() -> None:
    a = torch.randn(512, 512, generator=torch.Generator().manual_seed(0)).cuda()
    true = (a.double() @ a.double()).float()
    with arithmetic("off"):
        exact = (a @ a - true).abs().max()
    with arithmetic("tf32"):
        rough = (a @ a - true).abs().max()
    assert exact < 1e-3
    if torch.cuda.get_device_capability() >= (8, 0):
        assert rough > 10 * exact
