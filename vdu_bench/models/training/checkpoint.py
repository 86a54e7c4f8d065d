"""The running state of a training, on disk: safetensors and JSON, replaced as a whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from vdu_bench.files import replacing

FILE_NAME = "training.safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """Facts (JSON) and tensors of one moment."""

    facts: dict[str, Any]
    tensors: dict[str, Tensor]

    def part(self, name: str) -> dict[str, Tensor]:
        """The tensors that were written under `name`."""
        prefix = f"{name}/"
        return {key.removeprefix(prefix): value for key, value in self.tensors.items() if key.startswith(prefix)}


def write_checkpoint(folder: Path, facts: dict[str, Any], parts: Mapping[str, Mapping[str, Tensor]]) -> None:
    """Replace the folder's checkpoint, of tensors by part and name; a kill in the middle leaves the one before."""
    # Facts travel in the header of the same file, so that they can never be of another moment than the tensors.
    tensors = {f"{part}/{key}": value.contiguous() for part, named in parts.items() for key, value in named.items()}
    with replacing(folder / FILE_NAME) as partial:
        save_file(tensors, partial, metadata={"facts": json.dumps(facts)})


def read_checkpoint(folder: Path) -> Checkpoint | None:
    """The folder's checkpoint, or None where there is none."""
    file = folder / FILE_NAME
    if not file.exists():
        return None
    with safe_open(file, framework="pt") as archive:
        facts = json.loads(archive.metadata()["facts"])
        # Copied, so that nothing holds the file: Windows replaces none that is mapped, and the next state does that.
        return Checkpoint(facts, {key: archive.get_tensor(key).clone() for key in archive.keys()})  # noqa: SIM118
