"""Whatever pipeline lies in a folder or on the hub."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vdu_bench.errors import UserError
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.pipelines.finding import find_pipeline
from vdu_bench.models.pipelines.pipeline_files import check_pipeline
from vdu_bench.models.specs import ModelKind


def load_model(source: str | Path, kind: ModelKind) -> DiffusionModel:
    """The pipeline in a folder, or of a hub id, in diffusers' layout; as float32 on the CPU.

    Raises:
        UserError: there is none, it is not of the `kind` that is needed, or a part of it cannot be read.
    """
    facts = check_pipeline(find_pipeline(source, kind), source, kind)
    return facts.model().load(source)


def check_images(model: DiffusionModel, shape: Sequence[int], source: str | Path) -> None:
    """Raise UserError where images of this shape, ``(C, H, W)``, are not what a model makes; `source` is its name."""
    if tuple(shape) != model.image_shape:
        raise UserError(f"{source} makes images of {list(model.image_shape)}, and the data are of {list(shape)}")
