"""One use of Stable Diffusion 1.x at its full size, in a process of its own: what it takes, as JSON.

    python benchmarks/full_size.py {vdu,esd,life} --pipelines DIR [--autocast bfloat16] [--gradient-checkpointing]

`DIR` is what stable_diffusion.py wrote. `vdu` and `esd` load the pipeline and take two steps over the cross-attention;
`life` goes on to a two-step sample from what VDU made, saves it, loads it again, and compares. Every part is given with
its seconds and the largest resident set while it ran, in MiB.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch

from vdu_baselines.esd import ESD
from vdu_bench.data.image_set import ImageSet
from vdu_bench.data.specs import CaptionSpec
from vdu_bench.engine.memory import PeakMemory
from vdu_bench.methods.context import UnlearningContext
from vdu_bench.methods.method import LossMethod
from vdu_bench.methods.vdu import VDU
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.pipelines.loading import load_model
from vdu_bench.models.posterior.checkpoints import checkpoint_posterior
from vdu_bench.models.posterior.gaussian import WeightPosterior
from vdu_bench.models.sampling import initial_noise
from vdu_bench.models.specs import ComputeSpec, SamplerSpec
from vdu_bench.tasks.prompts import PromptSpec

Result = TypeVar("Result")

PROMPTS = PromptSpec(
    captions=CaptionSpec(subjects=("a photo of a person", "a portrait"), phrases={"hat": ("a hat",)}),
    judged_subjects=("a portrait",),
    forget=("a portrait with a hat",),
    retain={"a portrait": ()},
    concept=("a photo of a person wearing a hat",),
    anchor="a photo of a person",
)
STEPS = 2


class Parts:
    """What each part of the process took."""

    def __init__(self) -> None:
        self.taken: dict[str, dict[str, float]] = {}

    def run(self, part: str, work: Callable[[], Result]) -> Result:
        """Do the work, and note its seconds and its peak."""
        started = time.perf_counter()
        with PeakMemory("cpu") as memory:
            result = work()
        self.taken[part] = {"seconds": time.perf_counter() - started, "peak MiB": memory.mib}
        return result


def unlearned(method: LossMethod, model: DiffusionModel, folder: Path, parts: Parts) -> DiffusionModel:
    """What the method makes of the model, from noise for images and the posterior of the two checkpoints."""
    weights = dict(model.denoiser.named_parameters())

    def posterior(names: Sequence[str]) -> WeightPosterior:
        return parts.run(
            "posterior",
            lambda: checkpoint_posterior([folder / "base", folder / "other"], {name: weights[name] for name in names}),
        )

    def no_retrain() -> Any:
        raise AssertionError("no method here retrains")

    size = 8 * model.latent_shape[1]
    images = torch.randint(256, (4, 3, size, size), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    train = ImageSet(images, torch.tensor([[True], [True], [True], [False]]), ("hat",))
    context = UnlearningContext(model, train, "hat", "forget_only", method.needs, 0, posterior, no_retrain, PROMPTS)
    chosen = method.selection(model)
    after = parts.run("two steps", lambda: method.unlearn(model, context))
    for name, parameter in after.denoiser.named_parameters():
        assert (parameter is weights[name]) == (name not in chosen), name
        assert bool(torch.isfinite(parameter).all()), name
    assert any(not torch.equal(parameter, weights[name]) for name, parameter in method.selection(after).items())
    return after


def live(model: DiffusionModel, compute: ComputeSpec, parts: Parts) -> None:
    """Sample from the model, save it, load it again: it has to be the same."""
    noise = initial_noise(1, model.latent_shape, 0)
    sampler = SamplerSpec(steps=2, guidance_scale=3.0, batch_size=1)

    def sample(of: DiffusionModel) -> torch.Tensor:
        return of.sample(1, list(PROMPTS.forget), noise, sampler)

    images = parts.run("two-step sample", lambda: sample(model))
    with tempfile.TemporaryDirectory() as folder:
        parts.run("save", lambda: model.save(Path(folder)))
        again = parts.run("load again", lambda: load_model(folder, "text_to_image").computing(compute).freeze())

    def compare() -> None:
        for module, other in zip(model._modules(), again._modules(), strict=True):
            state, read = module.state_dict(), other.state_dict()
            assert state.keys() == read.keys()
            assert all(torch.equal(state[key], read[key]) for key in state)
        assert torch.equal(images, sample(again))

    parts.run("compare, and sample again", compare)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("use", choices=["vdu", "esd", "life"])
    parser.add_argument("--pipelines", type=Path, required=True)
    parser.add_argument("--autocast", choices=["off", "bfloat16", "float16"], default="off")
    parser.add_argument("--gradient-checkpointing", action="store_true")
    arguments = parser.parse_args()
    compute = ComputeSpec(autocast=arguments.autocast, gradient_checkpointing=arguments.gradient_checkpointing)
    parts = Parts()
    parts.run("libraries alone", lambda: None)
    base = arguments.pipelines / "base"
    model = parts.run("load", lambda: load_model(base, "text_to_image").computing(compute).freeze())
    method: LossMethod
    if arguments.use == "esd":
        method = ESD(ESD.Settings(steps=STEPS, batch_size=1, weights="cross_attention", x_t_steps=2))
    else:
        method = VDU(VDU.Settings(steps=STEPS, batch_size=1, weights="cross_attention"))
    after = unlearned(method, model, arguments.pipelines, parts)
    if arguments.use == "life":
        live(after, compute, parts)
    # KiB on Linux, bytes on macOS.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)
    print(json.dumps({"parts": parts.taken, "peak MiB": peak}))


if __name__ == "__main__":
    main()
