"""A method that uses more than what it was handed: refused where its ledger shows it, else marked in its record."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from vdu_bench.engine.cells import expand
from vdu_bench.engine.executors import LocalExecutor
from vdu_bench.engine.progress import Progress
from vdu_bench.engine.run import run_cells
from vdu_bench.engine.store import Store
from vdu_bench.engine.unseen import check_ledger, uncounted
from vdu_bench.errors import RegimeError
from vdu_bench.methods.catalog import METHODS
from vdu_bench.methods.context import UnlearningContext
from vdu_bench.methods.method import Method
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.records import Ledger, Timings
from vdu_bench.tasks.task import Task


class Cheat(Method):
    """Changes a weight; what it uses for that is said in `way`."""

    supports = ("unconditional",)
    needs = ("forget_images",)
    way = "nothing"

    def unlearn(self, model: DiffusionModel, context: UnlearningContext) -> DiffusionModel:
        twin = model.clone()
        if self.way == "past the context":
            context._retain.batch(4)
        if self.way == "past the counter":
            images = context.forget.batch(4).x0
            assert isinstance(twin.denoiser, nn.Module)
            twin.denoiser(images, torch.zeros(4, dtype=torch.long))
        with torch.no_grad():
            next(iter(twin.denoiser.parameters())).mul_(1.01)
        return twin.freeze()


@pytest.mark.parametrize(
    ("ledger", "words"),
    [
        (Ledger(retain_images=4), r"took retain_images, which its needs \['forget_images'\] do not name"),
        (Ledger(forget_images=4, prompts=True), "took prompts, which its needs"),
        (Ledger(posterior=True), "took posterior, which its needs"),
    ],
)
def test_what_was_not_declared_is_refused(ledger: Ledger, words: str) -> None:
    with pytest.raises(RegimeError, match=f"the method cheat {words}"):
        check_ledger("cheat", Cheat(), "full", ledger)


def test_what_the_regime_forbids_is_refused_though_it_is_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Cheat, "needs", ("forget_images", "retain_images"))
    ledger = Ledger(forget_images=4, retain_images=4)
    check_ledger("cheat", Cheat(), "full", ledger)
    with pytest.raises(RegimeError, match="took retain_images, which the regime 'forget_only' does not allow"):
        check_ledger("cheat", Cheat(), "forget_only", ledger)
    monkeypatch.setattr(Cheat, "role", "reference")
    check_ledger("cheat", Cheat(), "forget_only", ledger)


def test_what_counts_nothing_is_marked_and_what_counts_something_is_not() -> None:
    nothing, evaluated = Timings(nfe_forward=0), Timings(nfe_forward=64)
    assert "took no image, prompt or posterior" in uncounted("cheat", Ledger(), evaluated)[0]
    drew = uncounted("cheat", Ledger(forget_images=1000, retain_images=165), nothing)
    assert len(drew) == 1
    assert "it drew 1,165 training images, and no evaluation of the denoiser was counted" in drew[0]
    # A closed form takes prompts alone, noise by the posterior that alone, and replay counts its evaluations.
    for fine in (Ledger(prompts=True), Ledger(posterior=True)):
        assert uncounted("fine", fine, nothing) == []
    for fine in (Ledger(forget_images=3), Ledger(replayed=3)):
        assert uncounted("fine", fine, evaluated) == []


def test_a_table_says_so(tiny_task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    METHODS.add("cheat", f"{__name__}:Cheat", Path(__file__))
    monkeypatch.setitem(METHODS._loaded, "cheat", Cheat)
    cells = expand([tiny_task], ("cheat",), (0,), "full", {}, "cpu")[0]
    progress = Progress(quiet=True)
    store = Store(tmp_path / "store", say=progress.say)
    found = {}
    for way in ("nothing", "past the counter", "past the context"):
        monkeypatch.setattr(Cheat, "way", way)
        executor = LocalExecutor(store, progress, fresh=True)
        outcome = run_cells(cells, store, tmp_path / way, progress, executor, fresh=True)
        found[way] = next(record for record in outcome.records if record.method == "cheat")
        others = [record for record in outcome.records if record.method != "cheat"]
        assert not any("is not known here" in warning for record in others for warning in record.warnings)
    assert any("what it learned from is not known here" in warning for warning in found["nothing"].warnings)
    assert any("it drew 4 training images" in warning for warning in found["past the counter"].warnings)
    assert found["past the context"].status == "failed"
    assert "took retain_images" in found["past the context"].reason
