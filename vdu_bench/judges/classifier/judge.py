"""A trained classifier as the metrics use it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from vdu_bench.judges.classifier.network import JudgeNetwork
from vdu_bench.judges.classifier.networks import load_network
from vdu_bench.judges.specs import JudgeRecipe, read_recipe
from vdu_bench.judges.weights import digest_of_weights

BATCH = 1000
PIXELS = 2**24
"""As many pixels has a batch that is read, at most: 64 images of 512x512."""


@dataclass
class Judge:
    """Names the concepts that an image shows: the one class, or any number of attributes; or none of them.

    Attributes:
        name: for tables and metric names.
        network: gives K + 1 logits, the last one for "none of these": an image off the manifold of real ones.
        names: the K concept names.
        recipe: how it was made.
        exclusive: whether an image shows one class (the largest logit), or any attributes (those above one half).
        confusion: int64 counts on held-out real images. For classes ``[K, K + 1]``: rows truth, columns answer, the
            last column "none". For attributes ``[K, 4]``: in each row true negatives, false positives, false
            negatives, true positives.
    """

    name: str
    network: JudgeNetwork
    names: tuple[str, ...]
    recipe: JudgeRecipe
    image_shape: tuple[int, int, int]
    exclusive: bool
    confusion: Tensor

    @torch.inference_mode()
    def read(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Answers and features of uint8 images ``[N, C, H, W]``, on the CPU.

        Returns:
            bool ``[N, K]``, which concepts each image shows, none where it is off the manifold; float32
            ``[N, features]``.
        """
        self.network.eval()
        device = next(self.network.parameters()).device
        answers, features = [], []
        for batch in images.split(max(1, min(BATCH, PIXELS // images[0, 0].numel()))):
            found = self.network.features(batch.to(device).float() / 127.5 - 1)
            answers.append(self._shown(self.network.read_out(found)).cpu())
            features.append(found.cpu())
        return torch.cat(answers), torch.cat(features)

    def _shown(self, logits: Tensor) -> Tensor:
        if self.exclusive:
            return torch.nn.functional.one_hot(logits.argmax(1), logits.shape[1])[:, :-1].bool()
        return (logits[:, :-1] > 0) & (logits[:, -1:] < 0)

    @property
    def accuracy(self) -> float:
        """Share of the held-out real images' answers that are right, 0..1; for attributes, the worst attribute's."""
        if self.exclusive:
            return float(self.confusion.diagonal().sum() / self.confusion.sum())
        return float((self.confusion[:, [0, 3]].sum(1) / self.confusion.sum(1)).min())

    def seen(self, concept: str) -> tuple[int, int, int, int]:
        """Of the held-out real images: how many that show a concept it names rightly, how many show it; how many of
        the others it rightly does not name so, how many others there are."""
        k = self.names.index(concept)
        if not self.exclusive:
            no, false, missed, yes = map(int, self.confusion[k])
            return yes, yes + missed, no, no + false
        shown, named, right = (
            int(some) for some in (self.confusion[k].sum(), self.confusion[:, k].sum(), self.confusion[k, k])
        )
        others = int(self.confusion.sum()) - shown
        return right, shown, others - (named - right), others

    def digest(self) -> str:
        """sha256 of the weights, which do not change once a judge is made."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
        return digest_of_weights(self.network)

    def save(self, folder: Path) -> None:
        """Write ``judge.safetensors`` and ``judge.json``."""
        folder.mkdir(parents=True, exist_ok=True)
        save_file(self.network.state_dict(), folder / "judge.safetensors")
        facts = {
            "name": self.name,
            "names": self.names,
            "recipe": self.recipe.model_dump(),
            "image_shape": self.image_shape,
            "exclusive": self.exclusive,
            "confusion": self.confusion.tolist(),
        }
        (folder / "judge.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Judge:
        """Read what `save` wrote."""
        facts = json.loads((folder / "judge.json").read_text(encoding="utf-8"))
        recipe = read_recipe(facts["recipe"])
        names, shape = tuple(facts["names"]), tuple(facts["image_shape"])
        network = load_network(recipe, shape, len(names) + 1, load_file(folder / "judge.safetensors"))
        # Judges from before there were attributes say nothing of it.
        exclusive = facts.get("exclusive", True)
        return cls(facts["name"], network.eval(), names, recipe, shape, exclusive, torch.tensor(facts["confusion"]))
