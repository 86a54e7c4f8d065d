"""A third party's method in a package: what it makes is made again when its helper changes, and only then."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import vdu_bench.engine.code as code
from vdu_bench.engine.cells import expand, request
from vdu_bench.engine.progress import Progress
from vdu_bench.engine.stages.base import base
from vdu_bench.engine.stages.images import images, probes_of
from vdu_bench.engine.stages.unlearned import unlearned
from vdu_bench.engine.store import Store
from vdu_bench.engine.workshop import Workshop
from vdu_bench.methods.catalog import METHODS
from vdu_bench.module_files import locate
from vdu_bench.tasks.task import Task

METHOD = """
from their_package.helper import strength
from vdu_bench.methods.method import LossMethod


class PullDown(LossMethod):
    supports, needs = ("unconditional",), ()

    def loss(self, model, context):
        return strength() * sum(p.square().sum() for p in model.denoiser.parameters())
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The package, its method registered as ``pull_down``."""
    root = tmp_path / "their_package"
    root.mkdir()
    (root / "__init__.py").write_text("")
    (root / "method.py").write_text(METHOD)
    (root / "helper.py").write_text("def strength():\n    return 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    METHODS.add("pull_down", "their_package.method:PullDown")
    yield root
    for name in [name for name in sys.modules if name.partition(".")[0] == "their_package"]:
        del sys.modules[name]


def made(task: Task, root: Path) -> tuple[list[str], dict[str, object]]:
    """The addresses of the unlearned model and of the images of it, as another process finds them; and the request."""
    for cached in (code._closure, locate):
        cached.cache_clear()
    code._SOURCES.clear()
    cell = expand([task], ["pull_down"], (0,), "full", {"pull_down": [{"steps": 1}]}, "cpu")[0][-1]
    shop = Workshop(Store(root), "cpu", Progress(quiet=True))
    done = unlearned(shop, cell)
    assert done.weights is not None
    assert done.weights.whole.digest == base(shop, task).digest
    drawn = images(shop, task, done.weights, "samples", probes_of(shop, task)["samples"], 0, cell.name)
    return [done.stage, drawn.address], request(cell, shop.store)


def test_a_helper_counts_and_a_remark_does_not(tiny_task: Task, tmp_path: Path, package: Path) -> None:
    store = tmp_path / "store"
    first, asked = made(tiny_task, store)
    (package / "helper.py").write_text("# A remark.\ndef strength():\n    return 1\n")
    assert made(tiny_task, store) == (first, asked)
    (package / "helper.py").write_text("def strength():\n    return 1 + 0\n")
    second, asked_now = made(tiny_task, store)
    assert asked_now != asked
    assert second[0] != first[0]
    assert second[1] == first[1], "the same weights to the bit: nothing is drawn again"
