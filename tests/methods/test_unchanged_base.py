"""A method that changes the base that it is handed is refused, and nobody else is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from vdu_bench.engine.cells import expand
from vdu_bench.engine.progress import Progress
from vdu_bench.engine.stages.unlearned import unlearned
from vdu_bench.engine.store import Store
from vdu_bench.engine.workshop import Workshop
from vdu_bench.methods.catalog import METHODS
from vdu_bench.methods.method import Method
from vdu_bench.methods.unchanged_base import unchanged
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.tasks.task import Task


def _first(model: DiffusionModel) -> torch.nn.Parameter:
    return next(model.denoiser.parameters())


@torch.no_grad()
def in_place(model: DiffusionModel) -> None:
    _first(model).add_(0)


def by_data(model: DiffusionModel) -> None:
    _first(model).data.mul_(2)


def replaced(model: DiffusionModel) -> None:
    _first(model).data = _first(model).data * 2


def trained(model: DiffusionModel) -> None:
    parameter = _first(model).requires_grad_(True)
    parameter.sum().backward()
    torch.optim.Adam([parameter]).step()


def another_part(model: Any) -> None:
    next(model.text_encoder.parameters()).data.mul_(2)


@pytest.mark.parametrize("change", [in_place, by_data, replaced, trained, another_part], ids=lambda f: f.__name__)
def test_any_change_is_told_by_its_weight(
    change: Callable[[DiffusionModel], None], tiny_text_to_image: TextToImage
) -> None:
    words = r"^mine: it changed its base in place, in \w+\..*: let it work on a copy"
    with pytest.raises(TypeError, match=words), unchanged(tiny_text_to_image, "mine"):
        change(tiny_text_to_image)


def test_work_on_a_copy_and_nan_are_no_change(tiny_text_to_image: TextToImage) -> None:
    with torch.no_grad():
        _first(tiny_text_to_image).fill_(torch.nan)
    with unchanged(tiny_text_to_image, "mine"):
        tiny_text_to_image.freeze()
        copy = tiny_text_to_image.clone()
        trained(copy)
        by_data(copy)


class InPlace(Method):
    """Hands back the base, which it has changed: it used to count as unchanged."""

    supports = ("unconditional",)

    def unlearn(self, model: DiffusionModel, context: object) -> DiffusionModel:  # noqa: ARG002
        in_place(model)
        return model


def test_a_cell_of_such_a_method_fails(tiny_task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(METHODS, "_entries", dict(METHODS.entries()))
    METHODS.add("in_place", f"{__name__}:InPlace", Path(__file__))
    monkeypatch.setattr(METHODS, "_loaded", {"in_place": InPlace})
    cell = expand([tiny_task], ["in_place"], (0,), "full", {}, "cpu")[0][-1]
    with pytest.raises(TypeError, match="in_place: it changed its base in place, in denoiser"):
        unlearned(Workshop(Store(tmp_path), "cpu", Progress(quiet=True)), cell)
