"""A trained classifier as the metrics use it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from vdu_bench.judges.network import JudgeNetwork, make_network
from vdu_bench.judges.specs import JudgeRecipe, read_recipe

NONE = -1
BATCH = 1000


@dataclass
class Judge:
    """Names the class that an image shows, or none.

    Attributes:
        name: for tables and metric names.
        network: gives K + 1 logits, the last one for "none of the classes".
        names: the K class names.
        recipe: how it was made.
        confusion: int64 ``[K, K + 1]`` counts on held-out real images: rows truth, columns answer, the last
            column "none".
    """

    name: str
    network: JudgeNetwork
    names: tuple[str, ...]
    recipe: JudgeRecipe
    image_shape: tuple[int, int, int]
    confusion: Tensor

    @torch.inference_mode()
    def read(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Answers and features of uint8 images ``[N, C, H, W]``, on the CPU.

        Returns:
            int64 ``[N]`` class positions, NONE (-1) for none of the classes; float32 ``[N, features]``.
        """
        self.network.eval()
        device = next(self.network.parameters()).device
        answers, features = [], []
        for batch in images.split(BATCH):
            found = self.network.features(batch.to(device).float() / 127.5 - 1)
            answers.append(self.network.read_out(found).argmax(1).cpu())
            features.append(found.cpu())
        labels = torch.cat(answers)
        return torch.where(labels == len(self.names), NONE, labels), torch.cat(features)

    @property
    def accuracy(self) -> float:
        """Share of the held-out real images that are named rightly, 0..1."""
        return float(self.confusion.diagonal().sum() / self.confusion.sum())

    def digest(self) -> str:
        """sha256 of the weights."""
        sha = hashlib.sha256()
        for name, tensor in sorted(self.network.state_dict().items()):
            sha.update(name.encode())
            sha.update(tensor.cpu().contiguous().numpy().tobytes())
        return sha.hexdigest()

    def save(self, folder: Path) -> None:
        """Write ``judge.safetensors`` and ``judge.json``."""
        folder.mkdir(parents=True, exist_ok=True)
        save_file(self.network.state_dict(), folder / "judge.safetensors")
        facts = {
            "name": self.name,
            "names": self.names,
            "recipe": self.recipe.model_dump(),
            "image_shape": self.image_shape,
            "confusion": self.confusion.tolist(),
        }
        (folder / "judge.json").write_text(json.dumps(facts, indent=1) + "\n")

    @classmethod
    def load(cls, folder: Path) -> Judge:
        """Read what `save` wrote."""
        facts = json.loads((folder / "judge.json").read_text())
        recipe = read_recipe(facts["recipe"])
        names, shape = tuple(facts["names"]), tuple(facts["image_shape"])
        network = make_network(recipe, shape, len(names) + 1)
        network.load_state_dict(load_file(folder / "judge.safetensors"))
        return cls(facts["name"], network.eval(), names, recipe, shape, torch.tensor(facts["confusion"]))
