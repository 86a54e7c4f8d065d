"""Inception's weights on a machine without network: from a file that was brought, or not at all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import torch
from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3

from vdu_bench.errors import UserError


def place(file: Path | None, home: Path) -> None:
    """Put a file of weights where torch looks for what it has fetched: in a cache of its own, for this run's processes.

    So the tasks stay what they are, and records go by their plain names. Raises UserError for a file that is not there.
    """
    if file is None:
        return
    if not file.is_file():
        raise UserError(f"--inception {file}: there is no such file")
    os.environ["TORCH_HOME"] = str(home)
    target = _cached()
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)


def without_where_missing() -> dict[str, Any]:
    """The change to a task that leaves u-FID out, where there are no weights and nothing is to be fetched."""
    return {} if _cached().is_file() else {"inception": None}


def _cached() -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints" / URL_INCEPTION_V3.rpartition("/")[2]
