"""The stages that a task's recipes make and all methods share: base model with posterior, retrained model, judge."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL

from vdu_bench.data.captions import Captions, words_of
from vdu_bench.data.catalog import load_data
from vdu_bench.data.image_set import ImageSet
from vdu_bench.data.splits import DataSplits
from vdu_bench.engine.cells import models_stamp
from vdu_bench.engine.digests import SAMPLING, code_digest
from vdu_bench.engine.drawing import usage
from vdu_bench.engine.environment import describe_environment
from vdu_bench.engine.progress import Progress
from vdu_bench.engine.store import Artifact, Store, address, checksums
from vdu_bench.errors import UserError
from vdu_bench.files import stamp
from vdu_bench.judges.classifier.judge import Judge
from vdu_bench.judges.classifier.training import train_judge
from vdu_bench.judges.clip.check import check_captions
from vdu_bench.judges.clip.in_domain import InDomainClip
from vdu_bench.judges.clip.pretrained import load_pretrained
from vdu_bench.judges.clip.scorer import ClipScorer
from vdu_bench.judges.clip.specs import ClipRecipe, PretrainedClip
from vdu_bench.judges.clip.training import train_clip
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.pipelines.loading import check_images, load_model
from vdu_bench.models.pipelines.pipeline_files import find_pipeline
from vdu_bench.models.pipelines.prompt_tokens import check_lengths
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.models.posterior.checkpoints import checkpoint_posterior
from vdu_bench.models.posterior.gaussian import WeightPosterior
from vdu_bench.models.posterior.laplace import laplace_posterior
from vdu_bench.models.specs import (
    CheckpointPosterior,
    ComputeSpec,
    LaplacePosterior,
    LatentRecipe,
    ModelRecipe,
)
from vdu_bench.models.training.autoencoder import train_autoencoder
from vdu_bench.models.training.base_model import TrainingLog, train
from vdu_bench.models.training.processes import ALONE, Team
from vdu_bench.models.training.shown import CaptionedLatents, Pixels, TrainingData
from vdu_bench.seeds import derive_seed
from vdu_bench.tasks.prompts import PromptSpec
from vdu_bench.tasks.task import Task

MODEL = "model"
POSTERIOR = "posterior.safetensors"
CONTENT = "content.json"
AUTOENCODER = "autoencoder"


class RecipeStages:
    """Finds or makes what a task's recipes describe.

    Args:
        store: where it is looked for and kept.
        device: where models are trained and loaded to.
        progress: bars and lines.
        rebuild: make everything once more, even what is there.
        data_dir: where data sets from outside the package lie.
        team: the processes that train models together.
    """

    def __init__(
        self,
        store: Store,
        device: str,
        progress: Progress,
        rebuild: bool = False,
        data_dir: Path | None = None,
        team: Team = ALONE,
    ) -> None:
        self._store, self._device, self._progress, self._rebuild = store, device, progress, rebuild
        self._data_dir, self._team = data_dir, team
        self._splits: dict[str, DataSplits] = {}
        self._fingerprints: dict[str, str] = {}
        self._artifacts: dict[str, Artifact] = {}

    def splits(self, task: Task) -> DataSplits:
        """The task's images.

        Raises UserError as `load_data`, and for a concept that the data do not have.
        """
        key = task.data.model_dump_json()
        if key not in self._splits:
            self._splits[key] = load_data(task.data, self._data_dir)
        splits = self._splits[key]
        if task.forget not in splits.train.names:
            hint = splits.instead_of(task.forget)
            raise UserError(f"{task.name}: {task.data.source} has no {task.forget!r} to forget{hint}")
        if task.prompts is not None:
            _check_prompts(task, task.prompts, splits)
        return splits

    def fingerprint(self, task: Task) -> str:
        """The fingerprint of the task's images, taken once: it reads them all."""
        key = task.data.model_dump_json()
        if key not in self._fingerprints:
            self._fingerprints[key] = self.splits(task).fingerprint()
        return self._fingerprints[key]

    def base(self, task: Task) -> Artifact:
        """The base model and its posterior, trained on everything; or what is known of one from elsewhere."""
        if task.recipe is None:
            return self._elsewhere(task)
        return self._trained("base", task, task.recipe, self._recipe(task), lambda: self.splits(task).train)

    def check_prompt_lengths(self, task: Task) -> None:
        """Raise UserError for a prompt of the task that is longer than its base takes."""
        if task.prompts is not None:
            artifact = self.base(task)
            source = artifact.facts.get("source") or artifact.folder / MODEL
            check_lengths(task.prompts.every, Path(source), f"{task.name}: {task.base or 'its base'}")

    def retrain(self, task: Task) -> Artifact:
        """The same recipe on all images that do not show the forget concept; of a latent model, in the base's latents.

        Raises UserError for a base from elsewhere.
        """
        if task.recipe is None:
            raise UserError(f"{task.name}: {task.base} has no recipe here, so it cannot be retrained")

        def kept() -> ImageSet:
            train_set = self.splits(task).train
            return train_set.subset(~train_set.shows(task.forget))

        return self._trained("retrain", task, task.recipe, {**self._recipe(task), "without": task.forget}, kept)

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

    def clip(self, task: Task) -> Artifact | None:
        """The task's own CLIP, trained and checked on held-out images; None where it names no recipe of one."""
        recipe, prompts = task.clip, task.prompts
        if not isinstance(recipe, ClipRecipe) or prompts is None:
            return None
        words = prompts.captions
        spec = {
            "family": task.family,
            "recipe": recipe.model_dump(mode="json"),
            "data": self.fingerprint(task),
            "captions": words.model_dump(mode="json"),
        }

        def make(folder: Path) -> Mapping[str, Any]:
            splits = self.splits(task)
            captions = Captions(words, splits.train.names).drawn
            with self._progress.steps(f"{task.family}: CLIP", recipe.training.steps) as on_step:
                scorer = train_clip(recipe, splits.train, captions, words_of(words), self._device, on_step)
            scorer.save(folder)
            generator = torch.Generator().manual_seed(derive_seed(recipe.seed, "check"))
            check = check_captions(scorer, splits.held_out, captions, generator)
            return {"held_out": asdict(check), "environment": describe_environment(self._device)}

        return self._found_or_made("clip", spec, make, f"{task.family}: CLIP")

    def load_clip(self, task: Task) -> ClipScorer | None:
        """Who compares images with prompts; None where the task names nobody."""
        if task.clip is None:
            return None
        if isinstance(task.clip, PretrainedClip):
            return load_pretrained(task.clip, self._device)
        artifact = self.clip(task)
        return None if artifact is None else InDomainClip.load(artifact.folder, self._device)

    def load_model(self, task: Task, artifact: Artifact) -> DiffusionModel:
        """The model of a base, retrained or unlearned artifact, frozen, on the device, as the task computes."""
        return self.read_model(task, artifact).to(self._device).computing(task.compute).freeze()

    def read_model(self, task: Task, artifact: Artifact) -> DiffusionModel:
        """The same as it lies there: float32, on the CPU."""
        return load_model(artifact.facts.get("source") or artifact.folder / MODEL, task.model.kind)

    def load_posterior(self, task: Task, model: DiffusionModel, names: Sequence[str]) -> WeightPosterior:
        """The posterior over some of the base's weights. Raises UserError for a weight that it does not cover."""
        posterior = task.posterior_source
        if isinstance(posterior, CheckpointPosterior):
            parameters = dict(model.denoiser.named_parameters())
            return checkpoint_posterior(posterior.checkpoints, {name: parameters[name] for name in names})
        if isinstance(posterior, LaplacePosterior):
            return self._laplace(task, model, posterior, names)
        return WeightPosterior.load(self.base(task).folder / POSTERIOR).only(names)

    def load_retrained(self, task: Task) -> tuple[DiffusionModel, TrainingLog]:
        """The retrained model and what its training took."""
        artifact = self.retrain(task)
        return self.load_model(task, artifact), TrainingLog(**artifact.facts["training"])

    def load_judge(self, task: Task) -> Judge:
        """The judge, on the device."""
        judge = Judge.load(self.judge(task).folder)
        judge.network.to(self._device)
        return judge

    def _recipe(self, task: Task) -> dict[str, Any]:
        recipe = task.model.model_dump(mode="json")
        spec = {"family": task.family, "recipe": recipe, "data": self.fingerprint(task)}
        return spec if task.prompts is None else {**spec, "captions": task.prompts.captions.model_dump(mode="json")}

    def _trained(
        self, kind: str, task: Task, recipe: ModelRecipe, spec: Mapping[str, Any], images: Callable[[], ImageSet]
    ) -> Artifact:
        label = f"{task.family}: {kind} model" + (f" without {task.forget}" if kind == "retrain" else "")
        workspace = self._store.workspace(kind, spec)

        def make(folder: Path) -> Mapping[str, Any]:
            shown = images()
            model: DiffusionModel
            data: TrainingData
            if isinstance(recipe, LatentRecipe):
                assert task.prompts is not None  # a Task without them is not valid
                vae = self._autoencoder(task, recipe, kind, shown, workspace / AUTOENCODER)
                model = TextToImage.from_recipe(recipe, vae, words_of(task.prompts.captions)).to(self._device)
                captions = Captions(task.prompts.captions, shown.names)
                data = CaptionedLatents(model, shown, captions, recipe.caption_dropout)
            else:
                model = UnconditionalDDPM.from_recipe(recipe).to(self._device)
                data = Pixels(model, shown)
            model.computing(ComputeSpec(autocast=recipe.training.autocast))
            with self._progress.steps(label, recipe.training.steps) as on_step:
                posterior, log = train(model, data, recipe.training, workspace, on_step, self._team)
            model.rounded_to(getattr(torch, recipe.stored_dtype)).save(folder / MODEL)
            if kind == "base":
                posterior.save(folder / POSTERIOR)
            weights = sum(p.numel() for p in model.denoiser.parameters())
            return {"training": asdict(log), "weights": weights, "environment": describe_environment(self._device)}

        artifact = self._found_or_made(kind, spec, make, label)
        self._store.forget_workspace(kind, spec)
        return artifact

    def _autoencoder(
        self, task: Task, recipe: LatentRecipe, kind: str, images: ImageSet, workspace: Path
    ) -> AutoencoderKL:
        # It makes nothing of its own accord, and all models of a family have to speak of the same latents.
        if kind == "retrain":
            return TextToImage.load(self.base(task).folder / MODEL).vae.to(self._device)
        with self._progress.steps(f"{task.family}: autoencoder", recipe.autoencoder.training.steps) as on_step:
            dtype = getattr(torch, recipe.stored_dtype)
            seed = recipe.training.seed
            return train_autoencoder(
                recipe.autoencoder, images.images, seed, dtype, self._device, workspace, on_step, self._team
            )

    def _elsewhere(self, task: Task) -> Artifact:
        """A base that is not ours to make: where it lies, and the digest of what lies there."""
        assert task.base is not None  # a Task without a recipe is not valid otherwise
        folder = find_pipeline(task.base, task.model.kind)
        spec = {"family": task.family, "source": task.base, "stamp": stamp([folder])}

        def make(target: Path) -> Mapping[str, Any]:
            # Read once here, so that a wrong one is refused before anything is trained for it.
            images = self.splits(task).train.images
            check_images(load_model(folder, task.model.kind), images.shape[1:], f"{task.name}: {task.base}")
            (target / CONTENT).write_text(json.dumps(checksums(folder), indent=1, sort_keys=True) + "\n")
            return {"source": str(folder)}

        return self._found_or_made("base", spec, make, f"{task.family}: base model {task.base}")

    def _laplace(
        self, task: Task, model: DiffusionModel, spec: LaplacePosterior, names: Sequence[str]
    ) -> WeightPosterior:
        address_of = {
            "base": self.base(task).digest,
            "spec": spec.model_dump(mode="json"),
            "sampler": task.sampler.model_dump(mode="json"),
            "names": list(names),
            "code": code_digest(SAMPLING),
            **usage(task),
            "device": self._device,
        }

        def make(folder: Path) -> Mapping[str, Any]:
            prompts = None if task.prompts is None else task.prompts.cycled("retain", spec.samples)
            with self._progress.bar(f"{task.family}: laplace posterior", spec.samples) as advance:
                laplace_posterior(model, names, spec, task.sampler, prompts, advance).save(folder / POSTERIOR)
            return {}

        artifact = self._found_or_made("posterior", address_of, make, f"{task.family}: laplace posterior")
        return WeightPosterior.load(artifact.folder / POSTERIOR)

    def _found_or_made(
        self, kind: str, spec: Mapping[str, Any], make: Callable[[Path], Mapping[str, Any]], label: str
    ) -> Artifact:
        key = address(kind, spec)
        if key not in self._artifacts:
            self._artifacts[key], made = self._store.build(kind, spec, make, self._rebuild)
            self._progress.say(f"{label}: {'made' if made else 'reused'}")
        return self._artifacts[key]


def of_posterior(task: Task) -> dict[str, Any]:
    """What decides the posterior beside the base and the prompts; nothing for the snapshots of its own training."""
    posterior = task.posterior_source
    if isinstance(posterior, CheckpointPosterior):
        stamp = models_stamp(posterior.checkpoints)
        return {"posterior": posterior.model_dump(mode="json"), "checkpoints": stamp}
    if isinstance(posterior, LaplacePosterior):
        return {"posterior": posterior.model_dump(mode="json"), "sampler": task.sampler.model_dump(mode="json")}
    return {}


def _check_prompts(task: Task, prompts: PromptSpec, splits: DataSplits) -> None:
    """Raise UserError for a concept in them that the data do not have."""
    Captions(prompts.captions, splits.train.names)
    for prompt, features in prompts.retain.items():
        for name in features:
            if name not in splits.train.names:
                hint = splits.instead_of(name)
                raise UserError(f"{task.name}: {prompt!r} asks for {name!r}, which the data do not have{hint}")


def weak_judge(task: Task, accuracy: float) -> str:
    """A sentence where a judge's accuracy on held-out images is below what its task asks for, else empty."""
    if task.judge_accuracy is None or accuracy >= task.judge_accuracy:
        return ""
    return (
        f"the judge names {accuracy:.2%} of the held-out images rightly, and the task asks for "
        f"{task.judge_accuracy:.2%}: numbers that rest on it are not to be trusted"
    )
