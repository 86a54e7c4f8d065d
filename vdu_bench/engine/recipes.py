"""The stages that a task's recipes make and all methods share: base model with posterior, retrained model, judge."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from vdu_bench.data.image_set import DataSplits, ImageSet
from vdu_bench.data.sources import load_data
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
        data_dir: where data sets from outside the package lie.
    """

    def __init__(
        self, store: Store, device: str, progress: Progress, rebuild: bool = False, data_dir: Path | None = None
    ) -> None:
        self._store, self._device, self._progress, self._rebuild = store, device, progress, rebuild
        self._data_dir = data_dir
        self._splits: dict[str, DataSplits] = {}
        self._fingerprints: dict[str, str] = {}
        self._artifacts: dict[str, Artifact] = {}

    def splits(self, task: Task) -> DataSplits:
        """The task's images.

        Raises UserError as `load_data`, for a concept that the data do not have, and for a kind of model that no recipe
        makes.
        """
        if task.model.kind != "unconditional":
            raise UserError(f"{task.name}: only unconditional models can be trained from a recipe so far")
        key = task.data.model_dump_json()
        if key not in self._splits:
            self._splits[key] = load_data(task.data, self._data_dir)
        splits = self._splits[key]
        if task.forget not in splits.train.names:
            hint = splits.instead_of(task.forget)
            raise UserError(f"{task.name}: {task.data.source} has no {task.forget!r} to forget{hint}")
        return splits

    def fingerprint(self, task: Task) -> str:
        """The fingerprint of the task's images, taken once: it reads them all."""
        key = task.data.model_dump_json()
        if key not in self._fingerprints:
            self._fingerprints[key] = self.splits(task).fingerprint()
        return self._fingerprints[key]

    def base(self, task: Task) -> Artifact:
        """The base model and its posterior, trained on everything."""
        return self._trained("base", task, self._recipe(task), lambda: self.splits(task).train)

    def retrain(self, task: Task) -> Artifact:
        """The same recipe on all images that do not show the forget concept."""

        def kept() -> ImageSet:
            train_set = self.splits(task).train
            return train_set.subset(~train_set.shows(task.forget))

        return self._trained("retrain", task, {**self._recipe(task), "without": task.forget}, kept)

    def judge(self, task: Task) -> Artifact:
        """The judge, trained and calibrated."""
        spec = {
            "family": task.family,
            "recipe": task.judge.model_dump(mode="json"),
            "data": self.fingerprint(task),
        }
        known = address("judge", spec) in self._artifacts

        def make(folder: Path) -> Mapping[str, Any]:
            with self._progress.steps(f"{task.family}: judge", task.judge.training.steps) as on_step:
                judge = train_judge(f"{task.family}_judge", task.judge, self.splits(task), self._device, on_step)
            judge.save(folder)
            return {"accuracy": judge.accuracy, "environment": describe_environment(self._device)}

        artifact = self._found_or_made("judge", spec, make, f"{task.family}: judge")
        if not known and (warning := weak_judge(task, artifact.facts["accuracy"])):
            self._progress.say(f"{task.name}: warning: {warning}")
        return artifact

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
        recipe = task.model.model_dump(mode="json")
        return {"family": task.family, "recipe": recipe, "data": self.fingerprint(task)}

    def _trained(self, kind: str, task: Task, spec: Mapping[str, Any], images: Callable[[], ImageSet]) -> Artifact:
        label = f"{task.family}: {kind} model" + (f" without {task.forget}" if kind == "retrain" else "")
        recipe = task.model

        def make(folder: Path) -> Mapping[str, Any]:
            model = UnconditionalDDPM.from_recipe(recipe).to(self._device)
            workspace = self._store.workspace(kind, spec)
            with self._progress.steps(label, recipe.training.steps) as on_step:
                posterior, log = train(model, images(), recipe.training, workspace, on_step)
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


def weak_judge(task: Task, accuracy: float) -> str:
    """A sentence where a judge's accuracy on held-out images is below what its task asks for, else empty."""
    if task.judge_accuracy is None or accuracy >= task.judge_accuracy:
        return ""
    return (
        f"the judge names {accuracy:.2%} of the held-out images rightly, and the task asks for "
        f"{task.judge_accuracy:.2%}: numbers that rest on it are not to be trusted"
    )
