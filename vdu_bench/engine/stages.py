"""The stages of one cell: unlearned model, samples, record."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from vdu_bench.data.counterfactuals import CounterfactualPairs
from vdu_bench.engine.cells import Cell, External
from vdu_bench.engine.digests import SAMPLING, UNLEARNING, code_digest, source_digest
from vdu_bench.engine.drawing import draw_samples, redraw_pairs, usage
from vdu_bench.engine.memory import PeakMemory
from vdu_bench.engine.progress import Progress
from vdu_bench.engine.recipes import MODEL, RecipeStages, of_posterior
from vdu_bench.engine.store import Artifact, Store, address
from vdu_bench.errors import Diverged
from vdu_bench.judges.classifier.junk import JunkDetector
from vdu_bench.methods.catalog import METHODS, make_method
from vdu_bench.methods.context import UnlearningContext
from vdu_bench.methods.method import Method
from vdu_bench.metrics.evidence import Readings, RealReadings, Samples
from vdu_bench.models.counting import EvaluationCounter
from vdu_bench.models.files.external import load_external
from vdu_bench.records import Ledger, Timings
from vdu_bench.tasks.task import Task

SAMPLES = "samples.safetensors"


@dataclass(frozen=True)
class Unlearned:
    """A cell's model, and what is known of its making.

    Attributes:
        stage: the hash of the stage that made or read it.
        weights: the artifact that holds it; None where the method diverged.
        ledger: what the method saw; None, not known, of a model from elsewhere.
        timings: what it took.
        reason: why the method diverged.
        remark: what of a model from elsewhere was put onto the base, where it is no network of its own.
    """

    stage: str
    weights: Artifact | None
    ledger: Ledger | None
    timings: Timings
    reason: str = ""
    remark: str = ""


class CellStages:
    """Finds or makes the stages of cells; what cells share is made once.

    Args:
        store: where stages are kept.
        recipes: the shared stages.
        device: where models run.
        progress: bars and lines.
        fresh: make the stages of cells once more, even what is there.
    """

    def __init__(
        self, store: Store, recipes: RecipeStages, device: str, progress: Progress, fresh: bool = False
    ) -> None:
        self.recipes = recipes
        self._store, self._device, self._progress, self._fresh = store, device, progress, fresh
        self._readings: dict[str, Samples] = {}
        self._real: dict[str, RealReadings] = {}
        self._detectors: dict[str, JunkDetector] = {}
        self._externals: dict[str, Artifact] = {}
        self._made_now: set[str] = set()

    def unlearned(self, cell: Cell) -> Unlearned:
        """The cell's model, made by its method or read from elsewhere. Raises UserError as `external`."""
        if cell.external is not None:
            return self.external(cell, cell.external)
        outcome = self._by_method(cell)
        facts, weights = outcome.facts, None
        if facts["weights"]:
            others = {"base": self.recipes.base, "retrain": self.recipes.retrain}
            weights = outcome if facts["weights"] == "own" else others[facts["weights"]](cell.task)
        ledger, timings = Ledger(**facts["ledger"]), Timings(**facts["timings"])
        return Unlearned(outcome.hash, weights, ledger, timings, facts["reason"])

    def external(self, cell: Cell, external: External) -> Unlearned:
        """A model from elsewhere, read and kept as a whole pipeline of the suite's own.

        Raises:
            UserError: it cannot be read, or is not of the kind and shape of the task's base.
        """
        task, base = cell.task, self.recipes.base(cell.task)
        spec = {
            "sha256": external.sha256,
            "form": external.files.form,
            "code": code_digest(SAMPLING),
            "base": base.digest,
        }

        def make(folder: Path) -> Mapping[str, Any]:
            model, own = load_external(external.files, self.recipes.read_model(task, base))
            model.save(folder / MODEL)
            return {"own": own}

        # All seeds share it, and the store would sum up its files again for each.
        if (key := address("external", spec)) not in self._externals:
            artifact = self._externals[key] = self._build("external", spec, make)
            self._progress.say(f"{task.name}/{cell.method}: {artifact.facts['own']}")
        artifact = self._externals[key]
        remark = f"{cell.method}: {artifact.facts['own']}" if external.files.form == "file" else ""
        seconds = math.nan if external.seconds is None else external.seconds
        timings = Timings(unlearn_seconds=seconds, unlearn_forward=None, unlearn_backward=None)
        return Unlearned(artifact.hash, artifact, None, timings, remark=remark)

    def _by_method(self, cell: Cell) -> Artifact:
        """The method's outcome: its model (unless that is the base or the retrained one), ledger and timings."""
        method = make_method(cell.method, dict(cell.overrides))
        base = self.recipes.base(cell.task)
        spec = {
            "method": cell.method,
            "source": source_digest(METHODS.entry(cell.method)),
            "code": code_digest(UNLEARNING),
            "data": self.recipes.fingerprint(cell.task),
            "settings": method.settings.model_dump(mode="json"),
            "regime": cell.regime,
            "seed": cell.seed,
            "base": base.digest,
            "forget": cell.task.forget,
            "forget_images": cell.task.forget_images,
            # Any method may replay the base by it.
            "sampler": cell.task.sampler.model_dump(mode="json"),
            **usage(cell.task),
            "device": self._device,
        }
        if "posterior" in method.needs:
            spec |= of_posterior(cell.task)
        if "retrained" in method.needs:
            spec["retrain"] = self.recipes.retrain(cell.task).digest
        return self._build("unlearned", spec, lambda folder: self._unlearn(cell, method, base, folder))

    def samples(self, task: Task, weights: Artifact, seed: int, label: str) -> Artifact:
        """Images drawn from a model, from the initial noise that all methods share. Raises Diverged."""
        pairs = self._pairs(task)
        spec = {
            "weights": weights.digest,
            "sampler": task.sampler.model_dump(mode="json"),
            "samples": task.samples,
            "seed": seed,
            "code": code_digest(SAMPLING),
            **usage(task),
            "device": self._device,
        }
        if pairs is not None:
            spec["pairs"] = {"images": pairs.fingerprint(), "strength": task.pair_strength}

        def make(folder: Path) -> Mapping[str, Any]:
            model = self.recipes.load_model(task, weights)
            total = task.samples * (1 if task.prompts is None else 2) + (0 if pairs is None else len(pairs))
            started = time.perf_counter()
            with self._progress.bar(f"{label}: sampling", total) as advance:
                drawn = draw_samples(model, task, seed, advance)
                seconds = time.perf_counter() - started
                if pairs is not None:
                    drawn["pairs"] = redraw_pairs(model, task, pairs, seed, advance)
            # A convolution may give its channels last, and a decoder hands that on.
            save_file({name: images.contiguous() for name, images in drawn.items()}, folder / SAMPLES)
            return {"seconds": seconds, "dtype": str(model.autocast or model.dtype).removeprefix("torch.")}

        return self._build("samples", spec, make)

    def readings(self, task: Task, samples: Artifact) -> Samples:
        """The samples as the task's judge reads them."""
        key = f"{samples.hash}/{self.recipes.judge(task).digest}"
        if key not in self._readings:
            judge, detector = self.recipes.load_judge(task), self.detector(task)
            drawn = load_file(samples.folder / SAMPLES)
            read = {name: Readings.take(images, judge, detector) for name, images in drawn.items()}
            self._readings[key] = Samples(read["images"], read.get("retain", read["images"]), read.get("pairs"))
        return self._readings[key]

    def _pairs(self, task: Task) -> CounterfactualPairs | None:
        return self.recipes.splits(task).pairs.get(task.forget) if task.prompts is not None else None

    def real(self, task: Task) -> RealReadings:
        """The task's real images as its judge reads them, once."""
        key = self.recipes.judge(task).digest
        if key not in self._real:
            self._real[key] = RealReadings.take(self.recipes.splits(task), self.recipes.load_judge(task))
        return self._real[key]

    def detector(self, task: Task) -> JunkDetector:
        """The junk detector, calibrated on the task's real images."""
        key = self.recipes.judge(task).digest
        if key not in self._detectors:
            real = self.real(task)
            self._detectors[key] = JunkDetector(real.train, real.held_out)
        return self._detectors[key]

    def _unlearn(self, cell: Cell, method: Method, base: Artifact, folder: Path) -> Mapping[str, Any]:
        task = cell.task
        model = self.recipes.load_model(task, base)
        model.counter = EvaluationCounter()
        context = UnlearningContext(
            model,
            self.recipes.splits(task).train,
            task.forget,
            cell.regime,
            method.needs,
            cell.seed,
            lambda names: self.recipes.load_posterior(task, model, names),
            lambda: self.recipes.load_retrained(task),
            task.prompts,
            None if task.forget_images == "all" else task.forget_images,
            sampler=task.sampler,
            role=method.role,
        )
        method.prepare(model, context)
        unlearned, reason = None, ""
        label = f"{cell.name}: unlearning"
        with self._progress.steps(label, method.steps) as context.on_step, PeakMemory(self._device) as memory:
            started = time.perf_counter()
            try:
                unlearned = method.unlearn(model, context)
            except Diverged as error:
                reason = str(error)
            if self._device.startswith("cuda"):
                torch.cuda.synchronize()
            seconds = time.perf_counter() - started
        timings = Timings(
            unlearn_seconds=seconds,
            unlearn_forward=model.counter.forward,
            unlearn_backward=model.counter.backward,
            unlearn_peak_mib=memory.mib,
        )
        if unlearned is None:
            return {"status": "diverged", "reason": reason, "weights": "", **_costs(context, timings)}
        where = context.origin(unlearned)
        if where == "own":
            unlearned.save(folder / MODEL)
        elif where == "base":
            timings = Timings(unlearn_seconds=0.0)
        elif (log := context.retraining) is not None:
            timings = Timings(unlearn_seconds=log.seconds, unlearn_forward=log.forward, unlearn_backward=log.backward)
        return {"status": "ok", "reason": "", "weights": where, **_costs(context, timings)}

    def _build(self, kind: str, spec: Mapping[str, Any], make: Callable[[Path], Mapping[str, Any]]) -> Artifact:
        # With --fresh a stage is made again once, not once for each cell that shares it.
        artifact, made = self._store.build(kind, spec, make, self._fresh and str((kind, spec)) not in self._made_now)
        if made:
            self._made_now.add(str((kind, spec)))
        return artifact


def _costs(context: UnlearningContext, timings: Timings) -> dict[str, Any]:
    ledger: Ledger = context.ledger()
    return {"ledger": ledger.model_dump(), "timings": timings.model_dump(mode="json")}
