"""Methods of the kinds that the literature has, a few lines each, through the contract alone: edits and replay.

Their papers are named for the kind; none of these is a port.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
import torch
from prompted import IMAGES, PROMPTS, context_of
from pydantic import Field
from torch import Tensor, nn
from torch.nn.utils import parametrize

from vdu_bench.data.image_set import ImageSet
from vdu_bench.methods.context import UnlearningContext
from vdu_bench.methods.method import LossMethod, Method
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.models.selection import selected_parameters
from vdu_bench.models.specs import SamplerSpec
from vdu_bench.models.training.base_model import denoising_loss
from vdu_bench.spec import Spec

KEYS_AND_VALUES = "*attn2.to_[kv].weight"
KEPT = PROMPTS.model_copy(update={"preserve": ("with bangs", "person")})


def weights(model: DiffusionModel) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in model.denoiser.named_parameters()}


class ClosedForm(Method):
    """Keys and values of the concept become the anchor's, by least squares (of UCE's kind, Gandikota et al. 2024)."""

    supports = ("text_to_image",)
    needs = ("prompts",)

    class Settings(Spec):
        hold: float = Field(0.1, gt=0, description="how hard the weights are held where they were")

    def tokens(self, model: DiffusionModel, context: UnlearningContext) -> tuple[Tensor, Tensor]:
        """What the layers are asked, and what they are to answer as if it were, float64 ``[M, D]`` each."""
        concept = context.concept
        asked = model.condition([*concept.prompts, *concept.preserve]).flatten(0, 1).double()
        meant = model.condition([concept.anchor] * len(concept.prompts) + list(concept.preserve)).flatten(0, 1).double()
        return asked, meant

    def unlearn(self, model: DiffusionModel, context: UnlearningContext) -> DiffusionModel:
        chosen = selected_parameters(model.denoiser, KEYS_AND_VALUES)
        edited, (asked, meant) = model.clone(chosen), self.tokens(model, context)
        hold = self.settings.hold * torch.eye(asked.shape[1], dtype=torch.float64)
        with torch.no_grad():
            for name in chosen:
                weight = edited.denoiser.get_parameter(name)
                # W (sum m a^T + hold) (sum a a^T + hold)^-1, transposed.
                right = (meant.T @ asked + hold).T @ weight.double().T
                weight.copy_(torch.linalg.solve(asked.T @ asked + hold, right).T)
        return edited.freeze()


class LowRank(nn.Module):
    """W + strength * up down."""

    def __init__(self, weight: Tensor, rank: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.down = nn.Parameter(0.1 * torch.randn(rank, weight.shape[1], generator=generator).to(weight))
        self.up = nn.Parameter(0.1 * torch.randn(weight.shape[0], rank, generator=generator).to(weight))
        self.strength = 1.0

    def forward(self, weight: Tensor) -> Tensor:
        return weight + self.strength * self.up @ self.down


class Adapter(LossMethod):
    """A low-rank adapter on keys and values, folded in at the end (of SPM's kind, Lyu et al. 2024)."""

    supports = ("text_to_image",)
    needs = ("forget_images",)

    class Settings(LossMethod.Settings):
        weights: str = KEYS_AND_VALUES
        rank: int = Field(2, gt=0, description="of the adapter")
        strength: float = Field(1.0, ge=0, description="how much of it is folded in")

    def start(self, model: DiffusionModel, context: UnlearningContext) -> None:  # noqa: ARG002
        self.adapters = []
        for name, weight in self.selection(model).items():
            weight.requires_grad_(False)
            layer = model.denoiser.get_submodule(name.removesuffix(".weight"))
            self.adapters.append(LowRank(weight, self.settings.rank))
            parametrize.register_parametrization(layer, "weight", self.adapters[-1])

    def parameters(self, model: DiffusionModel) -> Iterable[nn.Parameter]:  # noqa: ARG002
        return [parameter for adapter in self.adapters for parameter in adapter.parameters()]

    def loss(self, model: DiffusionModel, context: UnlearningContext) -> Tensor:
        batch = context.forget.batch(self.settings.batch_size)
        return -denoising_loss(model, batch.x0, batch.condition, context.generator)

    def finish(self, model: DiffusionModel) -> None:
        for adapter in self.adapters:
            adapter.strength = self.settings.strength
        for layer in list(model.denoiser.modules()):
            if parametrize.is_parametrized(layer):
                parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)


class Amnesia(LossMethod):
    """Noise in place of the forget set, the base's own samples replayed, and weights held by what these need.

    Of Selective Amnesia's kind (Heng & Soh 2023); the Fisher information's diagonal is that of the replayed samples.
    """

    needs = ("forget_images",)

    class Settings(LossMethod.Settings):
        replayed: int = Field(4, gt=0, description="samples of the base")
        strength: float = Field(1.0, ge=0, description="how hard the weights are held")

    def start(self, model: DiffusionModel, context: UnlearningContext) -> None:
        parameters = list(self.parameters(model))
        self.kept = context.replay(self.settings.replayed)
        self.before = [p.detach().clone() for p in parameters]
        self.fisher = [torch.zeros_like(p) for p in parameters]
        for i in range(self.settings.replayed):
            slopes = torch.autograd.grad(self.remembered(model, context, slice(i, i + 1)), parameters)
            for total, slope in zip(self.fisher, slopes, strict=True):
                total += slope.square() / self.settings.replayed

    def remembered(self, model: DiffusionModel, context: UnlearningContext, part: slice) -> Tensor:
        condition = None if self.kept.condition is None else self.kept.condition[part]
        return denoising_loss(model, self.kept.x0[part], condition, context.generator)

    def moved(self, model: DiffusionModel) -> Tensor:
        terms = zip(self.parameters(model), self.before, self.fisher, strict=True)
        return torch.stack([(fisher * (p - q).square()).sum() for p, q, fisher in terms]).sum()

    def loss(self, model: DiffusionModel, context: UnlearningContext) -> Tensor:
        batch = context.forget.batch(self.settings.batch_size)
        noise = context.noise_like(batch.x0)
        forgotten = denoising_loss(model, noise, batch.condition, context.generator)
        remembered = self.remembered(model, context, slice(None))
        return forgotten + remembered + self.settings.strength / 2 * self.moved(model)


def nobody(*_: Any) -> Any:
    pytest.fail("nobody asked for it")


def prompted(model: TextToImage, method: Method) -> UnlearningContext:
    return UnlearningContext(model, IMAGES, "hat", "forget_only", method.needs, 0, nobody, nobody, KEPT)


def pixels(model: UnconditionalDDPM, method: Method) -> UnlearningContext:
    images = torch.randint(256, (6, 1, 8, 8), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    train, sampler = ImageSet.of_classes(images, torch.arange(6) % 2, ["a", "b"]), SamplerSpec(steps=3)
    return UnlearningContext(model, train, "a", "forget_only", method.needs, 0, nobody, nobody, sampler=sampler)


@pytest.mark.parametrize("hold", [0.01, 1.0])
def test_a_closed_form_edit_of_keys_and_values(tiny_text_to_image: TextToImage, hold: float) -> None:
    base, method = tiny_text_to_image, ClosedForm(hold=hold)
    before, context = weights(base), prompted(base, method)
    edited = method.unlearn(base, context)
    asked, meant = method.tokens(base, context)
    chosen = selected_parameters(edited.denoiser, KEYS_AND_VALUES)
    assert len(chosen) == 2 * 7
    for name, weight in chosen.items():
        old = before[name].double()

        def misfit(w: Tensor, old: Tensor = old) -> Tensor:
            return (asked @ w.T - meant @ old.T).square().sum() + hold * (w - old).square().sum()

        new = weight.detach().double().requires_grad_(True)
        misfit(new).backward()
        start = old.clone().requires_grad_(True)
        misfit(start).backward()
        assert float(new.grad.norm()) < 1e-4 * float(start.grad.norm()), "the minimum"
        assert float(misfit(new).detach()) < float(misfit(old))
    # The edit alone is the new model's own, and nothing was evaluated for it.
    for name, parameter in edited.denoiser.named_parameters():
        assert (parameter is base.denoiser.get_parameter(name)) == (name not in chosen)
    assert all(torch.equal(p, before[name]) for name, p in base.denoiser.named_parameters())
    ledger = context.ledger()
    assert (ledger.prompts, ledger.images, ledger.replayed, base.counter.forward) == (True, 0, 0, 0)


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_an_adapter_that_is_folded_in(tiny_text_to_image: TextToImage, strength: float) -> None:
    base = tiny_text_to_image
    before = weights(base)
    method = Adapter(strength=strength, steps=3, batch_size=2, learning_rate=1e-2)
    initial = [LowRank(before[name], 2).up for name in method.selection(base)]
    after = weights(method.unlearn(base, context_of(base, method)))
    assert list(after) == list(before)
    assert all(not torch.equal(adapter.up, up) for adapter, up in zip(method.adapters, initial, strict=True)), (
        "it was trained"
    )
    for name, weight in after.items():
        if strength == 0 or name not in method.selection(base):
            assert torch.equal(weight, before[name])
        else:
            values = torch.linalg.svdvals((weight - before[name]).double())
            assert float(values[2:].max()) < 1e-4 * float(values[0]), "of the adapter's rank"
    assert all(torch.equal(p, before[name]) for name, p in base.denoiser.named_parameters())


def test_generative_replay_with_a_diagonal_fisher(tiny_model: UnconditionalDDPM) -> None:
    def unlearned(strength: float) -> tuple[float, UnlearningContext]:
        tiny_model.counter.forward = tiny_model.counter.backward = 0
        method = Amnesia(strength=strength, steps=5, batch_size=2, learning_rate=1e-2)
        context = pixels(tiny_model, method)
        after = method.unlearn(tiny_model, context)
        return float(method.moved(after)), context

    (free, context), (held, _) = unlearned(0.0), unlearned(1e4)
    assert 0 < held < 0.5 * free
    ledger = context.ledger()
    assert (ledger.replayed, ledger.retain_images) == (4, 0)
    assert 0 < ledger.forget_images <= 3
    # Four samples of three steps; the Fisher information of each; five steps of two forgotten and four replayed.
    assert tiny_model.counter.forward == 4 * 3 + 4 + 5 * (2 + 4)
    assert tiny_model.counter.backward == 4 + 5 * (2 + 4)


def test_replay_on_a_text_to_image_model(tiny_text_to_image: TextToImage) -> None:
    method = Amnesia(steps=2, batch_size=2, learning_rate=1e-3)
    before, context = weights(tiny_text_to_image), context_of(tiny_text_to_image, method)
    after = method.unlearn(tiny_text_to_image, context)
    moved = {name for name, p in weights(after).items() if not torch.equal(p, before[name])}
    assert moved == set(method.selection(tiny_text_to_image))
    assert method.kept.captions == [""] * 4
    assert context.ledger().replayed == 4
