"""What a training leaves: the model, its posteriors as stages of their own, and retrained models by train seed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from vdu_bench.engine.cells import Cell, expand, request
from vdu_bench.engine.progress import Progress
from vdu_bench.engine.recording import failed_record
from vdu_bench.engine.stages import trained as training
from vdu_bench.engine.stages.base import base
from vdu_bench.engine.stages.posterior import snapshot_posterior
from vdu_bench.engine.stages.retrained import retrained
from vdu_bench.engine.store import Store, checksums
from vdu_bench.engine.workshop import Workshop
from vdu_bench.errors import UserError
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.posterior.gaussian import WeightPosterior
from vdu_bench.models.training import resuming
from vdu_bench.tasks.loading import with_overrides
from vdu_bench.tasks.task import Task


class Killed(Exception):
    """Stands for a kill."""


def workshop(root: Path, again: tuple[str, ...] = ()) -> tuple[Workshop, list[str]]:
    said: list[str] = []
    progress = Progress(quiet=True)
    progress.say = said.append  # type: ignore[method-assign]
    return Workshop(Store(root), "cpu", progress, again=again), said


def of(task: Task, snapshots: int) -> Task:
    return with_overrides(task, {"posterior": {"source": "snapshots", "snapshots": snapshots}})


def file_of(shop: Workshop, task: Task) -> Path:
    artifact = snapshot_posterior(shop, task)
    assert artifact is not None
    return artifact.folder / training.POSTERIOR


def test_a_training_leaves_posteriors_and_another_number_is_trained_for(
    tiny_task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, said = workshop(tmp_path)
    whole = base(shop, tiny_task)
    assert not (whole.folder / training.POSTERIOR).exists()
    made = [line for line in said if "posterior" in line]
    assert made == [f"tiny: posterior of {n} snapshots: made" for n in (2, 3, 5, 10)]
    assert not list((tmp_path / "running").glob("*")), "nothing is left to wait"

    runs: list[Any] = []
    original = training.train
    monkeypatch.setattr(training, "train", lambda *args: runs.append(args) or original(*args))
    kept = {n: WeightPosterior.load(file_of(shop, of(tiny_task, n))) for n in (2, 3, 5, 10)}
    assert not runs
    # Fewer snapshots over the same stretch lie further apart, and are other ones.
    assert len({float(posterior.std["conv_in.weight"].sum()) for posterior in kept.values()}) == 4

    four = file_of(shop, of(tiny_task, 4))
    assert len(runs) == 1
    assert "tiny: the base's training left no posterior of 4 snapshots: it is run once more" in said
    file_of(shop, of(tiny_task, 4))
    assert len(runs) == 1
    # The same as when it is asked for from the beginning.
    fresh, _ = workshop(tmp_path / "fresh")
    assert file_of(fresh, of(tiny_task, 4)).read_bytes() == four.read_bytes()
    assert len(runs) == 2
    assert base(fresh, tiny_task).digest == whole.digest


def test_a_training_that_ends_elsewhere_gives_no_posterior(
    tiny_task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, _ = workshop(tmp_path)
    base(shop, tiny_task)
    original = training.train

    def elsewhere(model: DiffusionModel, *args: Any) -> Any:
        result = original(model, *args)
        with torch.no_grad():
            for parameter in model.denoiser.parameters():
                parameter.mul_(1.01)
        return result

    monkeypatch.setattr(training, "train", elsewhere)
    with pytest.raises(UserError, match=r"ended 1 % away from the base: .*--set task\.model\.training\.seed=1"):
        file_of(shop, of(tiny_task, 4))


def test_a_kill_at_any_place_costs_no_posterior(
    tiny_task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, _ = workshop(tmp_path / "whole")
    base(shop, tiny_task)
    expected = [file_of(shop, of(tiny_task, n)).read_bytes() for n in (2, 3, 5, 10)]

    monkeypatch.setattr(resuming, "CHECKPOINT_SECONDS", 0.0)
    cut, _ = workshop(tmp_path / "cut")

    def killed(*_: Any) -> None:
        raise Killed

    # In the middle of the training; then with the model there, and before its posteriors are.
    with monkeypatch.context() as patch:
        patch.setattr("vdu_bench.models.training.base_model.seeded_dropout", _dying(25))
        with pytest.raises(Killed):
            base(cut, tiny_task)
    with monkeypatch.context() as patch:
        patch.setattr(training, "posterior_stage", killed)
        with pytest.raises(Killed):
            base(cut, tiny_task)
    assert list((tmp_path / "cut" / "base").glob("*"))
    assert not (tmp_path / "cut" / "posterior").exists()
    later, said = workshop(tmp_path / "cut")
    monkeypatch.setattr(training, "train", killed)
    assert [file_of(later, of(tiny_task, n)).read_bytes() for n in (2, 3, 5, 10)] == expected
    assert "tiny: base model: reused" in said


def test_a_base_that_is_made_again_has_its_own_posterior_whenever_it_was_killed(
    tiny_task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The posterior of the training before it is there under the same address."""
    shop, _ = workshop(tmp_path)
    base(shop, tiny_task)
    old = file_of(shop, of(tiny_task, 5))
    whole = old.read_bytes()
    old.write_bytes(b"of the training before")
    manifest = old.parent / "manifest.json"
    facts = json.loads(manifest.read_text())
    facts["files"] = checksums(old.parent)
    manifest.write_text(json.dumps(facts))

    def killed(*_: Any) -> None:
        raise Killed

    again, _ = workshop(tmp_path, again=("base",))
    with monkeypatch.context() as patch:
        patch.setattr(training, "posterior_stage", killed)
        with pytest.raises(Killed):
            base(again, tiny_task)
    later, _ = workshop(tmp_path)
    base(later, tiny_task)
    assert file_of(later, of(tiny_task, 5)).read_bytes() == whole


def test_another_process_may_take_a_posterior_meanwhile(
    tiny_task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that waited for the same training, and makes the stages between a look at the file and its copy."""
    shop, _ = workshop(tmp_path)
    other, _ = workshop(tmp_path)
    task, found = of(tiny_task, 2), training.posterior_stage

    def overtaken(*given: Any) -> Any:
        monkeypatch.setattr(training, "posterior_stage", found)
        base(other, task)
        return found(*given)

    monkeypatch.setattr(training, "posterior_stage", overtaken)
    made = base(shop, task)
    assert made.digest == base(other, task).digest
    assert snapshot_posterior(shop, task).digest == snapshot_posterior(other, task).digest


def _dying(steps: int) -> Any:
    from vdu_bench.models.training.dropout import seeded_dropout

    calls: list[int] = []

    def dying(*args: Any) -> Any:
        calls.append(1)
        if len(calls) > steps:
            raise Killed
        return seeded_dropout(*args)

    return dying


def test_cells_take_turns_with_the_train_seeds_of_the_retrained_model(tiny_task: Task, tmp_path: Path) -> None:
    task = with_overrides(tiny_task, {"retrain_seeds": 2, "model": {"training": {"steps": 2, "seed": 5}}})
    shop, _ = workshop(tmp_path)
    models = [retrained(shop, task, seed) for seed in range(4)]
    assert models[0].address == models[2].address != models[1].address == models[3].address
    assert models[0].digest != models[1].digest
    one = with_overrides(task, {"retrain_seeds": 1})
    assert retrained(shop, one, 3).address == models[0].address, "one seed is what there was before"

    cells = {(cell.method, cell.seed): cell for cell in expand([task], [], range(3), "full", {}, "cpu")[0]}

    def train_seed(cell: Cell) -> int:
        return failed_record(cell, "cpu", ValueError("none")).seeds.train

    assert [train_seed(cells["retrain", seed]) for seed in range(3)] == [5, 6, 5]
    assert [train_seed(cells["original", seed]) for seed in range(3)] == [5, 5, 5]
    # A finished record is found by the models that it was made of, and by no other train seed's.
    made_of = [request(cells["retrain", seed], shop.store)["made_of"] for seed in range(3)]
    assert made_of == [[models[0].digest], [models[1].digest], [models[0].digest]]
    assert request(cells["original", 0], shop.store)["made_of"] == []


def test_a_record_of_a_method_with_the_posterior_is_made_of_its_own_one(tiny_task: Task, tmp_path: Path) -> None:
    shop, _ = workshop(tmp_path)
    two, three = (of(with_overrides(tiny_task, {"model": {"training": {"steps": 8}}}), n) for n in (2, 3))
    base(shop, two)
    needed = []
    for task in (two, three):
        cells = {cell.method: cell for cell in expand([task], ["vdu", "finetune"], [0], "full", {}, "cpu")[0]}
        posterior = snapshot_posterior(shop, task)
        assert posterior is not None
        with_it = set(request(cells["vdu"], shop.store)["made_of"])
        assert with_it - set(request(cells["finetune"], shop.store)["made_of"]) == {posterior.digest}
        needed.append(posterior.digest)
    assert needed[0] != needed[1]
