"""Whole cells: determinism, resume after a kill in each stage, two processes on one store, divergence, failure."""

from __future__ import annotations

import math
import multiprocessing
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from comparing import comparable
from killing import die_in, kill_after

import vdu_bench.engine.recording
import vdu_bench.engine.run
import vdu_bench.engine.stages.judge
import vdu_bench.engine.stages.trained
import vdu_bench.engine.stages.unlearned
import vdu_bench.engine.worker
import vdu_bench.models.training.resuming
from vdu_bench.data.sources.digits import load_digits
from vdu_bench.engine.cells import Cell, expand
from vdu_bench.engine.executors import LocalExecutor
from vdu_bench.engine.progress import Progress
from vdu_bench.engine.run import run_cells
from vdu_bench.engine.store import Store
from vdu_bench.judges.classifier.judge import Judge
from vdu_bench.methods.context import UnlearningContext
from vdu_bench.methods.method import Method
from vdu_bench.methods.vdu import SCALE_BATCHES
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.models.specs import ComputeSpec
from vdu_bench.models.training.fitting import Fit
from vdu_bench.records import Record, read_record, read_records
from vdu_bench.tasks.loading import with_overrides
from vdu_bench.tasks.task import Task


def cells_of(task: Task, *methods: str, seeds: tuple[int, ...] = (0,)) -> list[Cell]:
    return expand([task], methods, seeds, "full", {}, "cpu")[0]


def run(task: Task, root: Path, *methods: str, seeds: tuple[int, ...] = (0,), fresh: bool = False, say=None):
    progress = Progress(quiet=True)
    if say is not None:
        progress.say = say
    store = Store(root / "store", say=progress.say)
    executor = LocalExecutor(store, progress, fresh)
    return run_cells(cells_of(task, *methods, seeds=seeds), store, root / "out", progress, executor, fresh)


@pytest.fixture(scope="module")
def finished(tiny_task: Task, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all methods' cells of the tiny task, done."""
    root = tmp_path_factory.mktemp("finished")
    outcome = run(tiny_task, root, "vdu", "esd", "finetune", "gradient_ascent")
    assert outcome.failed == []
    return root


def test_records_are_whole(finished: Path) -> None:
    records = {record.method: record for record in read_records(finished / "out")}
    assert set(records) == {"original", "retrain", "real", "vdu", "esd", "finetune", "gradient_ascent"}
    _check_real(records.pop("real"), records["original"])
    for record in records.values():
        assert record.status == "ok"
        assert record.protocol is not None
        assert record.protocol.samples == 40
        assert {name: found.n for name, found in record.outcomes.items()} == dict.fromkeys(
            ("strict", "forget", "junk", "copies"), 40
        )
        judged = {"base", "retrain"} if record.method == "retrain" else {"base"}
        assert record.stages.keys() - judged == {
            "unlearned", "judge", "second_judge", "samples", "redraw", "original_samples", "original_redraw",
        }  # fmt: skip
        uses = {"posterior"} if record.method == "vdu" else set()
        assert record.digests.keys() == judged | uses
    assert records["original"].stages["samples"] == records["vdu"].stages["original_samples"]
    assert records["original"].timings.nfe_forward == 0
    assert records["retrain"].timings.nfe_backward == 30 * 16
    assert records["vdu"].settings["steps"] == 2
    # Beside the steps, the slope of the error at the base.
    assert records["vdu"].timings.nfe_backward == (SCALE_BATCHES + 2) * 8
    assert records["vdu"].ledger.forget_images == (SCALE_BATCHES + 2) * 8
    assert records["vdu"].ledger.retain_images == 0
    assert records["finetune"].ledger.forget_images == 0


def _check_real(record: Record, original: Record) -> None:
    """The row of real images: no forgetting, no cost, no model; as many images as samples, since there are enough."""
    assert (record.status, record.role, record.ledger) == ("ok", "reference", None)
    assert record.protocol == original.protocol
    assert {name: found.n for name, found in record.outcomes.items()} == {"junk": 40, "copies": 40}
    assert record.stages.keys() == {
        "base", "judge", "second_judge", "samples", "original_samples", "original_redraw",
    }  # fmt: skip
    assert record.stages["original_samples"] == original.stages["samples"]
    numbers = {name for name, result in record.metrics.items() if not math.isnan(result.estimate.value)}
    assert numbers == {"fd_judge", "junk_rate", "kid", "precision", "recall", "copies"}
    assert {result.label for result in record.metrics.values()} == {m.label for m in original.metrics.values()}
    assert record.metrics["fd_judge"].estimate.value < original.metrics["fd_judge"].estimate.value
    assert record.metrics["kid"].estimate.value < original.metrics["kid"].estimate.value
    assert record.metrics["precision"].estimate.value > original.metrics["precision"].estimate.value


def test_a_limited_forget_set_is_a_variant_beside_the_whole_one(
    finished: Path, tiny_task: Task, tmp_path: Path
) -> None:
    shutil.copytree(finished, tmp_path / "copy")
    run(with_overrides(tiny_task, {"forget_images": 4}), tmp_path / "copy", "vdu")
    records = {record.cell_name: record for record in read_records(tmp_path / "copy" / "out")}
    whole, limited = records["tiny/vdu/seed0"], records["tiny-forget4/vdu/seed0"]
    assert comparable(whole) == comparable(read_record(finished / "out" / "records" / "tiny" / "vdu" / "seed0.json"))
    assert (whole.forget_images, limited.forget_images) == (None, 4)
    assert limited.ledger.forget_images == 4
    assert whole.family == limited.family == "tiny"
    shown = load_digits().train.shows(tiny_task.forget)
    assert whole.forget_set == limited.forget_set == int(shown.sum())
    assert records["tiny-forget4/original/seed0"].metrics["pul"] == records["tiny/original/seed0"].metrics["pul"]


def test_the_same_command_gives_the_same_numbers_to_the_bit(finished: Path, tiny_task: Task, tmp_path: Path) -> None:
    again = run(tiny_task, tmp_path, "vdu", "esd")
    before = {record.method: comparable(record) for record in read_records(finished / "out")}
    for record in again.records:
        assert comparable(record) == before[record.method]


def test_done_cells_are_reused_without_touching_them(finished: Path, tiny_task: Task) -> None:
    texts = {file: file.read_text() for file in (finished / "out").rglob("*.json")}
    outcome = run(tiny_task, finished, "vdu", "esd", "finetune", "gradient_ascent")
    assert len(outcome.reused) == 7
    assert {file: file.read_text() for file in (finished / "out").rglob("*.json")} == texts


def test_another_precision_is_never_reused(finished: Path, tiny_task: Task, tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path / "copy")
    # Beside the records of another precision it would be refused.
    shutil.rmtree(tmp_path / "copy" / "out")
    rough = tiny_task.model_copy(update={"compute": ComputeSpec(autocast="bfloat16")})
    outcome = run(rough, tmp_path / "copy", "vdu")
    before = {record.method: record for record in read_records(finished / "out")}
    for record in outcome.records:
        assert record.protocol is not None
        assert record.protocol.dtype == "bfloat16"
        # No precision changes what is real.
        assert (record.stages["samples"] == before[record.method].stages["samples"]) == (record.method == "real")
        assert record.stages["base"] == before[record.method].stages["base"]


def test_fresh_makes_the_cells_again_and_not_the_base(finished: Path, tiny_task: Task, tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path / "copy")
    bases = {file: file.stat().st_mtime_ns for file in (tmp_path / "copy" / "store" / "base").rglob("manifest.json")}
    outcome = run(tiny_task, tmp_path / "copy", "vdu", fresh=True)
    assert outcome.reused == []
    assert {file: file.stat().st_mtime_ns for file in bases} == bases


KILLS: dict[str, Callable[[], None]] = {
    "judge": lambda: kill_after(vdu_bench.engine.stages.judge, "train_judge"),
    "base, in the middle": lambda: kill_after(Fit, "advance", 60 + 10),  # the judge has 60 steps
    "base, at its end": lambda: kill_after(vdu_bench.engine.stages.trained, "train"),
    "retrain": lambda: kill_after(vdu_bench.engine.stages.trained, "train", 2),
    "unlearned": lambda: kill_after(vdu_bench.engine.stages.unlearned, "save_model"),
    "readings": lambda: kill_after(Judge, "read", 3),  # the real images come first, in two parts
    "samples": lambda: kill_after(UnconditionalDDPM, "sample"),
    "metrics": lambda: kill_after(vdu_bench.engine.recording, "measure"),
    "record, before it is kept": lambda: kill_after(vdu_bench.engine.worker, "make_record", 3),
    "record, before it is written": lambda: kill_after(vdu_bench.engine.run, "write_record"),
}


@pytest.mark.parametrize("stage", KILLS)
def test_killed_in_any_stage_the_same_command_ends_with_the_same_records(
    finished: Path, tiny_task: Task, tmp_path: Path, stage: str
) -> None:
    die_in(KILLS[stage], lambda: run(tiny_task, tmp_path, "vdu"))
    outcome = run(tiny_task, tmp_path, "vdu")
    assert outcome.failed == []
    before = {record.method: comparable(record) for record in read_records(finished / "out")}
    assert [comparable(record) for record in outcome.records] == [
        before[method] for method in ("original", "retrain", "real", "vdu")
    ]
    assert not list((tmp_path / "store" / "running").glob("*"))


def test_two_processes_on_one_store_share_the_work(finished: Path, tiny_task: Task, tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    log = tmp_path / "log"

    def work(number: int) -> None:
        original = vdu_bench.engine.stages.trained.train

        def noted(*args: Any) -> Any:
            with log.open("a") as stream:
                stream.write("train\n")
            return original(*args)

        vdu_bench.engine.stages.trained.train = noted
        store = Store(tmp_path / "store")
        progress = Progress(quiet=True)
        out = tmp_path / f"out{number}"
        outcome = run_cells(cells_of(tiny_task, "vdu"), store, out, progress, LocalExecutor(store, progress))
        os._exit(0 if not outcome.failed else 1)

    workers = [fork.Process(target=work, args=(number,)) for number in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert len(log.read_text().split()) == 2, "base and retrain, each trained by one of the two"
    before = {record.method: comparable(record) for record in read_records(finished / "out")}
    for number in range(2):
        for record in read_records(tmp_path / f"out{number}"):
            assert comparable(record) == before[record.method]


def test_a_damaged_artifact_is_named_and_made_again(finished: Path, tiny_task: Task, tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path / "copy")
    store = tmp_path / "copy" / "store"
    shutil.rmtree(store / "record")
    (damaged,) = list(store.glob("base/*/model/unet/*.safetensors"))
    content = bytearray(damaged.read_bytes())
    content[-1] ^= 1
    damaged.write_bytes(content)
    said: list[str] = []
    outcome = run(tiny_task, tmp_path / "copy", "vdu", say=said.append)
    assert any("base" in line and "damaged" in line and damaged.name in line for line in said)
    before = {record.method: comparable(record) for record in read_records(finished / "out")}
    assert [comparable(record) for record in outcome.records] == [
        before[method] for method in ("original", "retrain", "real", "vdu")
    ]


class Bad(Method):
    """Does what it is told to in `behaviour`, by editing the weights."""

    supports = ("unconditional",)
    needs = ()
    behaviour = "raise"

    def unlearn(self, model, context: UnlearningContext):
        if self.behaviour == "raise":
            raise RuntimeError("out of luck")
        if self.behaviour == "undeclared":
            context.forget.batch(1)
        twin = model.clone()
        fill = float("nan") if self.behaviour == "nan" else 1e30
        next(iter(twin.denoiser.parameters())).data.fill_(fill)
        return twin


@pytest.fixture
def bad(monkeypatch: pytest.MonkeyPatch):
    from vdu_bench.methods.catalog import METHODS

    METHODS.add("bad", f"{__name__}:Bad", Path(__file__))
    monkeypatch.setitem(METHODS._loaded, "bad", Bad)
    return Bad


def test_divergence_is_a_record_without_a_number_and_the_others_go_on(
    finished: Path, tiny_task: Task, tmp_path: Path, bad, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bad, "behaviour", "nan")
    shutil.copytree(finished, tmp_path / "copy")
    outcome = run(tiny_task, tmp_path / "copy", "bad", "vdu")
    records = {record.method: record for record in outcome.records}
    assert records["bad"].status == "diverged"
    assert records["bad"].metrics == {}
    assert "finite" in records["bad"].reason
    assert records["vdu"].status == "ok"
    assert outcome.failed == []
    assert "tiny/bad/seed0" in run(tiny_task, tmp_path / "copy", "bad", "vdu").reused


def test_nan_in_the_loss_is_a_divergence(finished: Path, tiny_task: Task, tmp_path: Path) -> None:
    shutil.copytree(finished / "store", tmp_path / "copy" / "store")
    wild = tiny_task.model_copy(update={"method_settings": {"gradient_ascent": {"learning_rate": 1e30, "steps": 5}}})
    outcome = run(wild, tmp_path / "copy", "gradient_ascent")
    record = outcome.records[-1]
    assert record.status == "diverged"
    assert record.metrics == {}
    # What it had cost until then: two steps of 64 images, at least.
    assert record.timings.nfe_forward >= 128
    assert record.timings.nfe_backward >= 128
    assert record.timings.unlearn_seconds > 0
    assert record.timings.unlearn_peak_mib > 0
    assert record.ledger.forget_images > 0


@pytest.mark.parametrize(("behaviour", "reason"), [("raise", "out of luck"), ("undeclared", "without naming it")])
def test_a_method_that_fails_costs_no_other_cell_and_is_tried_again(
    finished: Path, tiny_task: Task, tmp_path: Path, bad, monkeypatch: pytest.MonkeyPatch, behaviour: str, reason: str
) -> None:
    monkeypatch.setattr(bad, "behaviour", behaviour)
    shutil.copytree(finished, tmp_path / "copy")
    for _ in range(2):
        outcome = run(tiny_task, tmp_path / "copy", "bad", "vdu")
        assert outcome.failed == ["tiny/bad/seed0"]
        assert reason in outcome.records[3].reason
        assert outcome.records[4].status == "ok"


def test_the_global_generators_are_left_alone(tiny_task: Task, tmp_path: Path) -> None:
    torch.manual_seed(123)
    state = torch.get_rng_state()
    run(tiny_task, tmp_path, "vdu")
    assert torch.equal(torch.get_rng_state(), state)
