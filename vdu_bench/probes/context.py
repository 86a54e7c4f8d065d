"""What a probe works with: the task's way of asking, its own generators, real images where it needs them, counted."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from vdu_bench.data.captions import Captions
from vdu_bench.data.counterfactuals import CounterfactualPairs
from vdu_bench.data.splits import DataSplits
from vdu_bench.methods.draws import Draws
from vdu_bench.methods.pools import ImagePool
from vdu_bench.models.counting import EvaluationCounter
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.sampling import initial_noise
from vdu_bench.models.specs import SamplerSpec
from vdu_bench.probes.ledger import ProbeLedger
from vdu_bench.probes.needs import ProbeNeed
from vdu_bench.seeds import derive_seed
from vdu_bench.tasks.prompts import PromptSpec
from vdu_bench.tasks.task import Task


class ProbeContext(Draws):
    """Hands a probe what it declared, and keeps the ledger of it.

    Nothing of a task decides a probe's images but what stands here: the address of the images names all of it.

    Args:
        task: whose models are probed.
        model: the model that is probed; its evaluations, and those of its clones, are counted from here on.
        name: the probe's.
        needs: what the probe declared.
        seed: the sample seed.
        splits: the task's images.
        on_batch: called with the number of images of each finished batch.
    """

    def __init__(
        self,
        task: Task,
        model: DiffusionModel,
        name: str,
        needs: tuple[ProbeNeed, ...],
        seed: int,
        splits: DataSplits,
        on_batch: Callable[[int], None] | None = None,
    ) -> None:
        self.seed = derive_seed(seed, "probe", name)
        """For the probe's own draws."""
        train = splits.train
        captions = None if task.prompts is None else Captions(task.prompts.judged_captions, train.names)
        super().__init__(model, self.seed, captions)
        self.samples = task.samples
        """How many images stand for a model."""
        self.sampler: SamplerSpec = task.sampler
        self.train_timesteps = model.train_timesteps
        """At how many times the model was trained."""
        self.prompts: PromptSpec | None = task.prompts
        """What a text-to-image model is asked for: the judged prompts too, since this is the judging."""
        self._forget_name = task.forget
        self.on_batch = on_batch
        self._strength, self._pairs = task.pair_strength, splits.pairs.get(task.forget)
        self._needs, self._sample_seed = needs, seed
        shown = train.shows(task.forget)
        sides = (("forget", shown), ("retain", ~shown))
        self._forget, self._retain = (
            ImagePool(model, train, which.nonzero().flatten(), derive_seed(self.seed, side), self._batches)
            for side, which in sides
        )
        held_out, order = splits.held_out, derive_seed(self.seed, "held_out")
        of_concept = held_out.shows(task.forget).nonzero().flatten()
        self._held_out = ImagePool(model, held_out, of_concept, order, self._batches)
        model.counter = EvaluationCounter()

    def noise(self, n: int, purpose: str = "samples") -> Tensor:
        """Initial noise that all methods of a task share, standard normal ``[n, *latent_shape]`` on the CPU."""
        return initial_noise(n, self._model.latent_shape, self._sample_seed, purpose)

    @property
    def held_out(self) -> ImagePool:
        """The held-out images of the concept. Raises ValueError where ``held_out_images`` are not declared."""
        self._require("held_out_images")
        return self._held_out

    def plainly(self, concepts: Tensor) -> list[str] | None:
        """What to ask for real images by: the plain caption under the first judged subject for each row of ``[N, K]``.

        None for an unconditional model.
        """
        return None if self._captions is None else self._captions.plain(concepts)

    @property
    def plain_requests(self) -> list[str]:
        """What asks for the concept alone: each judged subject with the concept's plain phrase.

        Raises ValueError for an unconditional model.
        """
        if self.prompts is None:
            raise ValueError("an unconditional model is asked in no words")
        phrase = self.prompts.captions.phrases[self._forget_name][0]
        return [f"{subject} with {phrase}" for subject in self.prompts.judged_captions.subjects]

    @property
    def pairs(self) -> CounterfactualPairs:
        """The data's counterfactual pairs. Raises ValueError where ``pairs`` are not declared."""
        self._require("pairs")
        assert self._pairs is not None  # a task that lacks them is not probed by what needs them
        return self._pairs

    @property
    def pair_strength(self) -> float:
        """Which part of the sampler's way pairs are noised back. Raises ValueError as `pairs`."""
        self._require("pairs")
        return self._strength

    def ledger(self) -> ProbeLedger:
        """What was handed out and evaluated so far."""
        counter = self._model.counter
        return ProbeLedger(
            forget_images=self._forget.distinct,
            retain_images=self._retain.distinct,
            held_out_images=self._held_out.distinct,
            forward=counter.forward,
            backward=counter.backward,
        )

    def _require(self, need: ProbeNeed) -> None:
        if need not in self._needs:
            raise ValueError(f"the probe uses {need} without naming it in its needs {list(self._needs)}")
