"""What differs from the base is stored, and read back to the bit."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from vdu_bench.engine.store import Artifact, Store
from vdu_bench.engine.weights import CHANGED, MODEL, Weights, read_model, save_model
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.pipelines.loading import load_model
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.models.specs import ModelKind, ModelRecipe
from vdu_bench.tasks.task import Task


def bits(model: DiffusionModel) -> dict[str, bytes]:
    """Every tensor of every network, as bytes."""
    return {
        f"{part}/{name}": t.detach().contiguous().flatten().view(torch.uint8).numpy().tobytes()
        for part, network in vars(model).items()
        if isinstance(network, torch.nn.Module)
        for name, t in network.state_dict().items()
    }


@pytest.fixture(params=["unconditional", "text_to_image"])
def kind(request: pytest.FixtureRequest) -> ModelKind:
    return request.param


@pytest.fixture
def task(kind: ModelKind, tiny_task: Task, tiny_faces_task: Task) -> Task:
    return tiny_task if kind == "unconditional" else tiny_faces_task


@pytest.fixture
def base(kind: ModelKind, tiny_model: UnconditionalDDPM, tiny_pipeline: Path, tmp_path: Path) -> Artifact:
    """A pipeline in a store."""

    def make(folder: Path) -> dict[str, str]:
        model = tiny_model if kind == "unconditional" else load_model(tiny_pipeline, kind)
        model.save(folder / MODEL)
        return {}

    return Store(tmp_path / "store").build("base", {}, make)[0]


def stored(model: DiffusionModel, task: Task, base: Artifact, tmp_path: Path) -> tuple[Weights, str]:
    """The model by way of a store."""
    store = Store(tmp_path / "store")
    artifact, _ = store.build(
        "unlearned", {}, lambda folder: {"stored": save_model(model, read_model(task, base), folder)}, rebuild=True
    )
    return Weights.of(artifact.facts["stored"], artifact, base), artifact.facts["stored"]


def first(model: DiffusionModel) -> Tensor:
    return next(iter(model.denoiser.parameters())).data


def test_only_what_changed_is_stored_and_it_comes_back_to_the_bit(task: Task, base: Artifact, tmp_path: Path) -> None:
    model = read_model(task, base)
    names = list(dict(model.denoiser.named_parameters()))[:2]
    parameters = dict(model.denoiser.named_parameters())
    # A number that is like none, and one that is like another, but for its sign.
    parameters[names[0]].data.flatten()[0] = math.nan
    parameters[names[1]].data.flatten()[:2] = torch.tensor([0.0, -0.0])
    weights, how = stored(model, task, base, tmp_path)
    assert how == "changed"
    assert weights.changed is not None
    assert set(load_file(weights.changed.folder / CHANGED)) == {f"denoiser.{name}" for name in names}
    assert [file.name for file in weights.changed.folder.iterdir() if file.suffix != ".json"] == [CHANGED]
    again = read_model(task, weights)
    assert bits(again) == bits(model) != bits(read_model(task, base))
    # The same model once more: nothing but its bytes is looked at.
    assert stored(again, task, base, tmp_path)[0].inputs["weights"].digest == weights.changed.digest


def test_a_sign_of_nothing_is_a_change(task: Task, base: Artifact, tmp_path: Path) -> None:
    def zeroed(artifact: Weights | Artifact, value: float) -> DiffusionModel:
        model = read_model(task, artifact)
        first(model).fill_(value)
        return model

    plus, _ = stored(zeroed(base, 0.0), task, base, tmp_path)
    minus = bits(zeroed(base, -0.0))
    assert bits(read_model(task, stored(zeroed(base, -0.0), task, base, tmp_path)[0])) == minus
    assert bits(zeroed(base, 0.0)) != minus
    assert plus.changed is not None


def test_what_is_the_base_stores_nothing(task: Task, base: Artifact, tmp_path: Path) -> None:
    weights, how = stored(read_model(task, base), task, base, tmp_path)
    assert (how, weights) == ("base", Weights(base))
    assert not list((tmp_path / "store" / "unlearned").glob("**/*.safetensors"))


def test_other_parts_than_the_denoiser_count(tiny_faces_task: Task, tiny_pipeline: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    base, _ = store.build(
        "base", {}, lambda folder: load_model(tiny_pipeline, "text_to_image").save(folder / MODEL) or {}
    )
    model = read_model(tiny_faces_task, base)
    next(iter(model.text_encoder.parameters())).data.add_(1)
    weights, how = stored(model, tiny_faces_task, base, tmp_path)
    assert how == "changed"
    assert all(name.startswith("text_encoder.") for name in load_file(weights.changed.folder / CHANGED))
    assert bits(read_model(tiny_faces_task, weights)) == bits(model)


def test_rounded_weights_stay_rounded(task: Task, base: Artifact, tmp_path: Path) -> None:
    model = read_model(task, base)
    model.denoiser.to(torch.bfloat16)
    weights, _ = stored(model, task, base, tmp_path)
    assert {t.dtype for t in load_file(weights.changed.folder / CHANGED).values()} == {torch.bfloat16}
    model.denoiser.float()
    assert bits(read_model(task, weights)) == bits(model)


def test_a_model_of_another_make_is_stored_whole(tiny_task: Task, tiny_recipe: ModelRecipe, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    small = UnconditionalDDPM.from_recipe(tiny_recipe)
    base, _ = store.build("base", {}, lambda folder: small.save(folder / MODEL) or {})
    others = {
        "wider": {"denoiser": {**tiny_recipe.denoiser, "layers_per_block": 2}},
        "another schedule": {"noise_scheduler": {**tiny_recipe.noise_scheduler, "prediction_type": "v_prediction"}},
    }
    for what, change in others.items():
        other = UnconditionalDDPM.from_recipe(tiny_recipe.model_copy(update=change))
        weights, how = stored(other, tiny_task, base, tmp_path)
        assert how == "whole", what
        again = read_model(tiny_task, weights)
        assert bits(again) == bits(other)
        assert again.noise_scheduler.config["prediction_type"] == other.noise_scheduler.config["prediction_type"]
        assert set(weights.inputs) == {"weights"}
