"""What ships belongs to the recipes that ship with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from autoencoding import reconstruction_error

from vdu_bench.engine.progress import Progress
from vdu_bench.engine.shipped import ASSETS, shipped_artifacts
from vdu_bench.engine.stages.base import base
from vdu_bench.engine.stages.clip import clip
from vdu_bench.engine.stages.judge import judge, second_judge
from vdu_bench.engine.stages.posterior import load_posterior, snapshot_posterior
from vdu_bench.engine.stages.retrained import retrained
from vdu_bench.engine.store import Artifact, Store, read_artifact
from vdu_bench.engine.weights import ready_model
from vdu_bench.engine.workshop import Workshop
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.posterior.gaussian import WeightPosterior
from vdu_bench.tasks.loading import catalog
from vdu_bench.tasks.task import Task

SHIPPED = [task for task in catalog().values() if task.scale == "embedded"]
"""The tasks whose models ship."""


def _shared(shop: Workshop, task: Task) -> list[Artifact]:
    found = [make(shop, task) for make in (base, snapshot_posterior, judge, second_judge, clip)]
    found += [retrained(shop, task, seed) for seed in range(task.retrain_seeds)]
    return [artifact for artifact in found if artifact is not None]


def _workshop(root: Path, say: Callable[[str], None] = lambda _: None) -> Workshop:
    return Workshop(Store(root, shipped_artifacts(), say), "cpu", Progress(quiet=True))


def test_every_task_whose_models_ship_starts_at_once(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Recipe hash and data digest of every asset are those of the task files: nothing has to be trained."""

    def untrained(*_: object) -> None:
        pytest.fail("a recipe or the data changed: vdu-bench prepare --rebuild --export vdu_bench/assets")

    monkeypatch.setattr("vdu_bench.engine.stages.trained.train", untrained)
    monkeypatch.setattr("vdu_bench.engine.stages.judge.train_judge", untrained)
    monkeypatch.setattr("vdu_bench.engine.stages.clip.train_clip", untrained)
    said: list[str] = []
    shop = _workshop(tmp_path, said.append)
    for task in SHIPPED:
        for artifact in _shared(shop, task):
            assert artifact.folder.is_relative_to(ASSETS)
            assert artifact.facts["environment"]["packages"]["torch"]
        training = base(shop, task).facts["training"]
        assert training["losses"][-1] < 0.4 * training["losses"][0]
    assert said == []


@pytest.mark.parametrize("folder", sorted(shipped_artifacts().values()), ids=lambda folder: folder.name)
def test_every_file_matches_its_checksum(folder) -> None:
    artifact, damage = read_artifact(folder)
    assert artifact is not None, damage


def test_no_asset_belongs_to_nothing(tmp_path) -> None:
    shop = _workshop(tmp_path)
    used = {artifact.address for task in SHIPPED for artifact in _shared(shop, task)}
    assert used == set(shipped_artifacts())


def test_the_posterior_is_of_the_base(tmp_path) -> None:
    shop = _workshop(tmp_path)
    for task in SHIPPED:
        model = ready_model(task, base(shop, task), "cpu")
        weights = dict(model.denoiser.named_parameters())
        posterior: WeightPosterior = load_posterior(shop, task, model, list(weights))
        assert {name: p.shape for name, p in weights.items()} == {n: s.shape for n, s in posterior.std.items()}
        # Snapshots scatter around where the training ended, on the scale of their own deviation.
        distance = sum(float(((p - posterior.mean[n]) ** 2).sum()) for n, p in weights.items())
        spread = sum(float((s**2).sum()) for s in posterior.std.values())
        assert distance < 10 * spread


def test_assets_are_fewer_than_thirty_five_megabytes() -> None:
    files = [file for file in ASSETS.rglob("*") if file.is_file() and file.suffix != ".pyc"]
    assert sum(file.stat().st_size for file in files) < 35e6
    assert {file.suffix for file in files} <= {".safetensors", ".json", ".png", ".csv", ".md", ".py", ".gz"}


def test_the_autoencoder_holds_portraits_it_never_saw(tmp_path) -> None:
    shop = _workshop(tmp_path)
    task = next(task for task in SHIPPED if task.family == "faces")
    model = ready_model(task, base(shop, task), "cpu")
    assert isinstance(model, TextToImage)
    assert reconstruction_error(model.vae, shop.splits(task).held_out.images) < 0.01
