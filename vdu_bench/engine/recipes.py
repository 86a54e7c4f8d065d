"""The stages that a task's recipes make and all methods share: base model with posterior, retrained model, judge."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from vdu_bench.data.image_set import DataSplits, ImageSet
from vdu_bench.data.sources import SOURCES
from vdu_bench.engine.environment import describe_environment
from vdu_bench.engine.progress import Progress
from vdu_bench.engine.store import Artifact, Store, address
from vdu_bench.errors import UserError
from vdu_bench.judges.judge import Judge
from vdu_bench.judges.training import train_judge
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.posterior import WeightPosterior
from vdu_bench.models.training import TrainingLog, train
from vdu_bench.models.unconditional import UnconditionalDDPM
from vdu_bench.tasks.task import Task

MODEL = "model"
POSTERIOR = "posterior.safetensors"


class RecipeStages:
    """Finds or makes what a task's recipes describe.

    Args:
        store: where it is looked for and kept.
        device: where models are trained and loaded to.
        progress: bars and lines.
        rebuild: make everything once more, even what is there.
    """

    def __init__(self, store: Store, device: str, progress: Progress, rebuild: bool = False) -> None:
        self._store, self._device, self._progress, self._rebuild = store, device, progress, rebuild
        self._splits: dict[str, DataSplits] = {}
        self._artifacts: dict[str, Artifact] = {}

    def splits(self, task: Task) -> DataSplits:
        """The task's images.

        Raises UserError for an unknown source, a concept that the data do not have, or a kind of model that no recipe
        makes.
        """
        if task.model.kind != "unconditional":
            raise UserError(f"{task.name}: only unconditional models can be trained from a recipe so far")
        if task.data not in self._splits:
            self._splits[task.data] = SOURCES.get(task.data)()
        splits = self._splits[task.data]
        if task.forget not in splits.train.names:
            known = ", ".join(splits.train.names)
            raise UserError(f"{task.name}: {task.data} has no {task.forget!r} to forget (it has: {known})")
        return splits

    def base(self, task: Task) -> Artifact:
        """The base model and its posterior, trained on everything."""
        return self._trained("base", task, self._recipe(task), self.splits(task).train)

    def retrain(self, task: Task) -> Artifact:
        """The same recipe on all images that do not show the forget concept."""
        train_set = self.splits(task).train
        kept = train_set.subset(~train_set.shows(task.forget))
        return self._trained("retrain", task, {**self._recipe(task), "without": task.forget}, kept)

    def judge(self, task: Task) -> Artifact:
        """The judge, trained and calibrated."""
        splits = self.splits(task)
        spec = {"family": task.family, "recipe": task.judge.model_dump(mode="json"), "data": splits.fingerprint()}

        def make(folder: Path) -> Mapping[str, Any]:
            with self._progress.steps(f"{task.family}: judge", task.judge.training.steps) as on_step:
                judge = train_judge(f"{task.family}_judge", task.judge, splits, self._device, on_step)
            judge.save(folder)
            return {"accuracy": judge.accuracy, "environment": describe_environment(self._device)}

        return self._found_or_made("judge", spec, make, f"{task.family}: judge")

    def load_model(self, artifact: Artifact) -> DiffusionModel:
        """The model of a base, retrained or unlearned artifact, frozen, on the device."""
        return UnconditionalDDPM.load(artifact.folder / MODEL).to(self._device).freeze()

    def load_posterior(self, task: Task) -> WeightPosterior:
        """The posterior over the base's weights."""
        return WeightPosterior.load(self.base(task).folder / POSTERIOR)

    def load_retrained(self, task: Task) -> tuple[DiffusionModel, TrainingLog]:
        """The retrained model and what its training took."""
        artifact = self.retrain(task)
        return self.load_model(artifact), TrainingLog(**artifact.facts["training"])

    def load_judge(self, task: Task) -> Judge:
        """The judge, on the device."""
        judge = Judge.load(self.judge(task).folder)
        judge.network.to(self._device)
        return judge

    def _recipe(self, task: Task) -> dict[str, Any]:
        fingerprint = self.splits(task).fingerprint()
        return {"family": task.family, "recipe": task.model.model_dump(mode="json"), "data": fingerprint}

    def _trained(self, kind: str, task: Task, spec: Mapping[str, Any], images: ImageSet) -> Artifact:
        label = f"{task.family}: {kind} model" + (f" without {task.forget}" if kind == "retrain" else "")
        recipe = task.model

        def make(folder: Path) -> Mapping[str, Any]:
            model = UnconditionalDDPM.from_recipe(recipe).to(self._device)
            workspace = self._store.workspace(kind, spec)
            with self._progress.steps(label, recipe.training.steps) as on_step:
                posterior, log = train(model, images, recipe.training, workspace, on_step)
            # Module.to, since diffusers' own warns of layers to be kept in float32 even where there are none.
            torch.nn.Module.to(model.denoiser, getattr(torch, recipe.stored_dtype))
            model.save(folder / MODEL)
            if kind == "base":
                posterior.save(folder / POSTERIOR)
            weights = sum(p.numel() for p in model.denoiser.parameters())
            return {"training": asdict(log), "weights": weights, "environment": describe_environment(self._device)}

        artifact = self._found_or_made(kind, spec, make, label)
        self._store.forget_workspace(kind, spec)
        return artifact

    def _found_or_made(
        self, kind: str, spec: Mapping[str, Any], make: Callable[[Path], Mapping[str, Any]], label: str
    ) -> Artifact:
        key = address(kind, spec)
        if key not in self._artifacts:
            self._artifacts[key], made = self._store.build(kind, spec, make, self._rebuild)
            self._progress.say(f"{label}: {'made' if made else 'reused'}")
        return self._artifacts[key]
