"""A third party's probe and the metric of it in a run: the images are a stage, and nothing of the engine knows them."""

from __future__ import annotations

from pathlib import Path

import pytest
import retrying

from vdu_bench.data.sources.digits import load_digits
from vdu_bench.engine.cells import expand
from vdu_bench.engine.cells import request as asked
from vdu_bench.engine.progress import Progress
from vdu_bench.engine.recording import make_record
from vdu_bench.engine.stages.images import probes_of
from vdu_bench.engine.store import Store, read_artifact
from vdu_bench.engine.worker import Worker
from vdu_bench.engine.workshop import Workshop
from vdu_bench.errors import UserError
from vdu_bench.metrics.catalog import METRICS
from vdu_bench.probes.catalog import PROBES
from vdu_bench.records import Record
from vdu_bench.tasks.loading import with_overrides
from vdu_bench.tasks.task import Task


@pytest.fixture
def retry() -> None:
    """The probe and its metric, registered."""
    for registry, name, target in ((PROBES, "retry", "Retry"), (METRICS, "retried", "Retried")):
        registry.add(name, f"retrying:{target}", Path(retrying.__file__))


def recorded(task: Task, root: Path) -> Record:
    shop = Workshop(Store(root), "cpu", Progress(quiet=True))
    record = make_record(expand([task], ["finetune"], (0,), "full", {}, "cpu")[0][-1], shop)
    assert record.status == "ok"
    return record


@pytest.mark.usefixtures("retry")
def test_its_images_are_a_stage(tiny_task: Task, tmp_path: Path) -> None:
    record = recorded(tiny_task, tmp_path)
    stages = {name: record.stages[name] for name in ("samples", "original_samples", "retry", "original_retry")}
    assert len(set(stages.values())) == 4
    artifact, _ = read_artifact(tmp_path / "images" / stages["retry"][:32])
    assert artifact is not None
    assert artifact.manifest["spec"]["settings"]["given"] == 6
    assert artifact.manifest["spec"]["data"] == load_digits().digest()
    assert artifact.facts["ledger"] == {
        "forget_images": 6, "retain_images": 0, "held_out_images": 0, "forward": 3 * 4 + 3 * 40, "backward": 3 * 4,
    }  # fmt: skip
    assert record.probes["retry"] == artifact.facts["ledger"]
    assert record.probes["samples"]["forward"] == 3 * 40
    assert record.metrics["retried"].estimate.n == 40
    assert record.metrics["retried"].probe == "retry"
    assert record.ledger.forget_images == 0, "the prober's images are not the method's"
    times = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("manifest.json")}
    assert recorded(tiny_task, tmp_path).stages == record.stages
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("manifest.json")} == times


@pytest.mark.usefixtures("retry")
def test_a_task_changes_its_settings_and_a_wrong_one_is_named(tiny_task: Task, tmp_path: Path) -> None:
    changed = with_overrides(tiny_task, {"probe_settings": {"retry": {"given": 2, "steps": 1}}})
    record = recorded(changed, tmp_path)
    assert record.probes["retry"]["forget_images"] == 2
    assert record.variant == "tiny+probe_settings.retry.given=2+probe_settings.retry.steps=1"
    wrong = with_overrides(tiny_task, {"probe_settings": {"retry": {"give": 2}}})
    with pytest.raises(UserError, match="Retry has no setting 'give'; did you mean 'given'"):
        Worker("cpu", None, Store(tmp_path), Progress(quiet=True), fresh=False).check_data(
            expand([wrong], ["original"], (0,), "full", {}, "cpu")[0]
        )


@pytest.mark.usefixtures("retry")
def test_one_that_breaks_off_is_named(tiny_task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError("word")

    monkeypatch.setattr(retrying.Retry, "draw", broken)
    with pytest.raises(RuntimeError, match="^the probe retry: KeyError: 'word'$"):
        recorded(tiny_task, tmp_path)


def test_without_a_metric_that_reads_them_nothing_is_drawn(
    tiny_task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue("retry")
    monkeypatch.setattr(METRICS, "_entries", {k: v for k, v in METRICS.entries().items() if k != "retried"})
    assert "retry" not in recorded(tiny_task, tmp_path).stages


def test_a_probe_that_nobody_knows_is_named_before_anything_runs(tiny_task: Task, tmp_path: Path) -> None:
    METRICS.add("retried", "retrying:Retried", Path(retrying.__file__))
    worker = Worker("cpu", None, Store(tmp_path), Progress(quiet=True), fresh=False)
    with pytest.raises(UserError, match="unknown probe 'retry'"):
        worker.check_data(expand([tiny_task], ["original"], (0,), "full", {}, "cpu")[0])


def test_with_it_a_record_is_another(tiny_task: Task, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    cell = expand([tiny_task], ["vdu"], (0,), "full", {}, "cpu")[0][-1]
    before = asked(cell, Store(tmp_path))
    request.getfixturevalue("retry")
    assert asked(cell, Store(tmp_path)) != before


def test_a_task_may_leave_probes_out(tiny_task: Task, tmp_path: Path) -> None:
    shop = Workshop(Store(tmp_path), "cpu", Progress(quiet=True))
    probes = {task: set(probes_of(shop, with_overrides(tiny_task, {"probes": task}))) for task in ((), ("redraw",))}
    assert probes == {(): {"samples"}, ("redraw",): {"samples", "redraw"}}
    with pytest.raises(UserError, match="unknown probe 'sample'; did you mean 'samples'"):
        probes_of(shop, with_overrides(tiny_task, {"probes": ["sample"]}))
