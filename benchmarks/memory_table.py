"""What unlearning Stable Diffusion takes, for each method and selection, computed: the tables of docs/memory.md.

    python benchmarks/memory_table.py [--model xl] [--image-size 512] [--methods vdu,esd,...] [--selections all,...]

The methods' own code makes a step on fake tensors, which have a shape and a type but no memory, and every tensor that
is alive is counted. What never is a tensor is not: the workspaces of kernels, the allocator's reserve, the process.
"""

from __future__ import annotations

import argparse
import weakref
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple, get_args

import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from stable_diffusion import SCHEDULER, TEXT_ENCODER, TEXT_ENCODER_2, UNET, UNET_XL, VAE
from tabulate import tabulate
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from vdu_baselines.esd import ESD
from vdu_baselines.finetune import Finetune
from vdu_baselines.gradient_ascent import GradientAscent
from vdu_bench.methods.method import LossMethod
from vdu_bench.methods.pools import Batch
from vdu_bench.methods.vdu import VDU
from vdu_bench.methods.vdu_contrast import VDUContrast
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.pipelines.stable_diffusion_xl import StableDiffusionXL
from vdu_bench.models.pipelines.text_to_image import VAE_PIXELS, TextToImage
from vdu_bench.models.posterior.gaussian import WeightPosterior
from vdu_bench.models.selection import Selection, selected_parameters
from vdu_bench.models.specs import ComputeSpec
from vdu_bench.models.training.fitting import Fit
from vdu_bench.probes.relearn import RelearnSettings

MIB = 1024 * 1024
COMPUTE = {
    "float32": ComputeSpec(),
    "float32, checkpointing": ComputeSpec(gradient_checkpointing=True),
    "bfloat16": ComputeSpec(autocast="bfloat16"),
    "bfloat16, checkpointing": ComputeSpec(autocast="bfloat16", gradient_checkpointing=True),
}


class Fakes(FakeTensorMode):
    """Fake tensors that stay under this mode when a model is cloned."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Fakes:
        return self


class LiveTensors(TorchDispatchMode):
    """Counts the bytes of all storages that are alive, and their peak."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._held: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        tree_map_only(Tensor, self._hold, result)
        return result

    def _hold(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key not in self._held:
            self._held[key] = storage.nbytes()
            self.now += storage.nbytes()
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self._drop, key)

    def _drop(self, key: int) -> None:
        self.now -= self._held.pop(key)


class Outline(TextToImage):
    """The denoiser in its schedule, with embeddings from nowhere in place of the text encoder's."""

    def __init__(self, latent_size: int) -> None:
        denoiser = UNet2DConditionModel(**UNET, sample_size=latent_size)
        DiffusionModel.__init__(self, denoiser, DDPMScheduler(**SCHEDULER))

    def condition(self, prompts: Sequence[str] | None) -> Tensor:
        assert prompts is not None
        return torch.empty(len(prompts), TEXT_ENCODER["max_position_embeddings"], TEXT_ENCODER["hidden_size"])


class OutlineXL(StableDiffusionXL):
    """The same of Stable Diffusion XL."""

    def __init__(self, latent_size: int) -> None:
        denoiser = UNet2DConditionModel(**UNET_XL, sample_size=latent_size)
        DiffusionModel.__init__(self, denoiser, DDPMScheduler(**SCHEDULER))
        self.text_encoder_2 = SimpleNamespace(config=SimpleNamespace(**TEXT_ENCODER_2))
        self.force_zeros_for_empty_prompt = True

    @property
    def max_tokens(self) -> int:
        return int(TEXT_ENCODER["max_position_embeddings"])

    @property
    def image_shape(self) -> tuple[int, int, int]:
        _, height, width = self.latent_shape
        return 3, 8 * height, 8 * width

    def condition(self, prompts: Sequence[str] | None) -> Tensor:
        assert prompts is not None
        return torch.empty(len(prompts), self.max_tokens + 1, UNET_XL["cross_attention_dim"])


OUTLINES: dict[str, type[Outline | OutlineXL]] = {"sd": Outline, "xl": OutlineXL}
"""By what ``--model`` calls them."""


class Unread(WeightPosterior):
    """A posterior without values, whose floor cannot be told."""

    def floored(self, quantile: float) -> WeightPosterior:  # noqa: ARG002
        return self


class OutlinePool:
    """Images and prompts without values."""

    def __init__(self, base: TextToImage) -> None:
        self._base = base

    def batch(self, n: int) -> Batch:
        captions = self.draws(n)
        concepts = torch.empty(n, 1, dtype=torch.bool)
        return Batch(torch.empty(n, *self._base.latent_shape), self._base.condition(captions), captions, concepts)

    def draws(self, n: int) -> list[str]:
        return [""] * n


class OutlineContext:
    """What the methods ask an UnlearningContext for, without values."""

    def __init__(self, base: TextToImage) -> None:
        self.base = base
        self.seed = 0
        self.generator = torch.Generator()
        self.forget = self.retain = self.concept = OutlinePool(base)

    def timesteps(self, n: int) -> Tensor:
        return torch.empty(n, dtype=torch.int64)

    def noise_like(self, x0: Tensor) -> Tensor:
        return torch.empty_like(x0)

    def posterior(self, names: Sequence[str]) -> WeightPosterior:
        # The mean is left out: with the base in the centre it is let go of at once.
        weights = dict(self.base.denoiser.named_parameters())
        return Unread({}, {name: torch.empty_like(weights[name]) for name in names})


# ESD's way to x_t needs values, and is left out: it comes before the step and has no graph.
METHODS: dict[str, tuple[type[LossMethod], dict[str, Any]]] = {
    "vdu": (VDU, {}),
    "vdu_contrast": (VDUContrast, {"condition": "concept"}),
    "esd": (ESD, {"x_t": "images"}),
    "finetune": (Finetune, {}),
    "gradient_ascent": (GradientAscent, {}),
}


class Memory(NamedTuple):
    """Bytes between the steps, the optimiser's moments included, and at most in a step."""

    held: int
    peak: int


def step(
    outline: type[Outline | OutlineXL],
    name: str,
    weights: Selection,
    compute: ComputeSpec,
    batch_size: int,
    latent_size: int,
) -> Memory:
    """What the U-Net and a method's step take, without the autoencoder and the text encoders."""
    method_class, settings = METHODS[name]
    method = method_class(method_class.Settings(weights=weights, batch_size=batch_size, **settings))
    with Fakes(allow_non_fake_inputs=True), LiveTensors() as live:
        base = outline(latent_size).computing(compute).freeze()
        context: Any = OutlineContext(base)
        model = base.clone(method.selection(base))
        model.denoiser.train()
        for parameter in method.selection(model).values():
            parameter.requires_grad_(True)
        method.start(model, context)
        running = Fit(method.parameters(model), method.settings)
        moments(running)
        held = live.peak = live.now
        method.gradients(model, context, lambda loss, *, retain_graph=False: loss.backward(retain_graph=retain_graph))
        running.optimizer.step()
    return Memory(held, live.peak)


def moments(running: Fit) -> None:
    """Make Adam's moments, which are there from the second step on."""
    for parameter in running.parameters:
        parameter.grad = torch.empty_like(parameter)
    running.optimizer.step()
    running.optimizer.zero_grad(set_to_none=True)


def sampling(outline: type[Outline | OutlineXL], latent_size: int, n: int) -> int:
    """Bytes that one step of sampling `n` images with guidance takes beside the U-Net's weights."""
    with Fakes(), LiveTensors() as live, torch.no_grad():
        model = outline(latent_size).freeze()
        both = torch.empty(2 * n, *model.latent_shape)
        condition = model.condition([""] * len(both))
        weights = live.peak = live.now
        model.denoise(both, torch.empty((), dtype=torch.int64), condition)
    return live.peak - weights


def autoencoder(image_size: int, batch_size: int, sliced: bool) -> dict[str, int]:
    """Bytes that encoding and decoding a batch take beside the autoencoder's weights."""
    taken = {}
    for way, channels, size in (("encode", 3, image_size), ("decode", VAE["latent_channels"], image_size // 8)):
        with Fakes(), LiveTensors() as live, torch.no_grad():
            vae = AutoencoderKL(**VAE).eval()
            if sliced:
                vae.enable_slicing()
            weights = live.peak = live.now
            getattr(vae, way)(torch.empty(batch_size, channels, size, size))
        taken[way] = live.peak - weights
    return taken


def sizes(model: str) -> dict[str, int]:
    """Parameters of each selection, and of the frozen parts."""
    with torch.device("meta"):
        unet = UNet2DConditionModel(**(UNET_XL if model == "xl" else UNET))
        parts: dict[str, nn.Module] = {
            "autoencoder": AutoencoderKL(**VAE),
            "text encoder": CLIPTextModel(CLIPTextConfig(**TEXT_ENCODER)),
        }
        if model == "xl":
            parts["second text encoder"] = CLIPTextModelWithProjection(CLIPTextConfig(**TEXT_ENCODER_2))
    counted = {name: sum(p.numel() for p in selected_parameters(unet, name).values()) for name in get_args(Selection)}
    return counted | {name: sum(p.numel() for p in part.parameters()) for name, part in parts.items()}


def relearning(outline: type[Outline | OutlineXL], latent_size: int) -> int:
    """Bytes at most in a step of the attack `relearn`: fine-tuning by its own defaults."""
    settings = RelearnSettings()
    compute = COMPUTE["bfloat16, checkpointing"]
    return step(outline, "finetune", settings.weights, compute, settings.batch_size, latent_size).peak


def gib(n_bytes: float) -> str:
    return f"{n_bytes / MIB / 1024:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=OUTLINES, default="sd", help="Stable Diffusion 1.x, or XL")
    parser.add_argument("--image-size", type=int, help="512; with xl 1024")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--selections", default=",".join(get_args(Selection)))
    arguments = parser.parse_args()
    outline, size = OUTLINES[arguments.model], arguments.image_size or (1024 if arguments.model == "xl" else 512)
    counted = sizes(arguments.model)
    print(tabulate([[name, f"{n:,}", gib(4 * n)] for name, n in counted.items()], ["part", "weights", "GiB"], "github"))
    frozen = 4 * sum(n for part, n in counted.items() if part not in get_args(Selection))
    rows = []
    for name in arguments.methods.split(","):
        for weights in arguments.selections.split(","):
            row = [name, weights]
            for compute in COMPUTE.values():
                one, two = (step(outline, name, weights, compute, n, size // 8) for n in (1, 2))
                row += [gib(frozen + one.held)] if compute == ComputeSpec() else []
                row.append(f"{gib(frozen + one.peak)} + {gib(two.peak - one.peak)}")
            rows.append(row)
    print(tabulate(rows, ["method", "weights", "between steps", *COMPUTE], "github"))
    batch = max(1, VAE_PIXELS // size**2)
    rows = [["U-Net, without a graph, each image with guidance", gib(sampling(outline, size // 8, 1))]]
    for label, sliced in ((f"a batch of {batch}", False), (f"a batch of {batch}, vae_slicing", True)):
        taken = autoencoder(size, batch, sliced)
        rows += [[f"autoencoder, {way}, {label}", gib(n_bytes)] for way, n_bytes in taken.items()]
    print(tabulate(rows, ["beside the weights", "GiB"], "github"))
    print(f"relearn, with the celeba tasks' compute: {gib(frozen + relearning(outline, size // 8))} GiB at most")


if __name__ == "__main__":
    main()
