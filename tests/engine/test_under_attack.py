"""A run whose models are put under attack: which attacks, what is made and what reused, what stands in the record."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from vdu_bench.engine.attacks import under_attack
from vdu_bench.engine.cells import expand
from vdu_bench.engine.executors import LocalExecutor
from vdu_bench.engine.progress import Progress
from vdu_bench.engine.run import run_cells
from vdu_bench.engine.store import Store
from vdu_bench.errors import UserError
from vdu_bench.metrics.gap import NO_PEER
from vdu_bench.records import Record
from vdu_bench.tasks.loading import with_overrides
from vdu_bench.tasks.task import Task

SMALL = {
    "relearn": {"images": [2], "looks": [1, 2], "samples": 8, "batch_size": 2},
    "resample": {"samples": 8},
    "membership": {"times": 2, "noises": 1},
}


@pytest.fixture
def task(tiny_task: Task) -> Task:
    return with_overrides(tiny_task, {"probe_settings": SMALL})


def run(task: Task, named: list[str] | None, root: Path, methods: tuple[str, ...] = ("finetune",)) -> list[Record]:
    (attacked,) = under_attack([task], named, root / "out")
    cells = expand([attacked], methods, (0,), "full", {}, "cpu")[0]
    store, progress = Store(root / "store"), Progress(quiet=True)
    outcome = run_cells(cells, store, root / "out", progress, LocalExecutor(store, progress))
    assert not outcome.failed
    return outcome.records


def test_attacks_are_stages_that_add_to_a_record(task: Task, tmp_path: Path) -> None:
    plain = {record.method: record for record in run(task, None, tmp_path)}
    attacked = {record.method: record for record in run(task, ["relearn"], tmp_path)}
    for method in ("original", "retrain", "finetune"):
        one, other = plain[method], attacked[method]
        assert "relearn_rate" not in one.metrics
        assert other.stages["samples"] == one.stages["samples"], "models and samples are those that were there"
        assert other.cell_name == one.cell_name
        assert other.metrics["pul_strict"] == one.metrics["pul_strict"]
        assert other.probes["relearn"]["forget_images"] == 2
        assert {"relearn", "original_relearn", "retrain_relearn"} <= set(other.stages)
        assert other.matrices["relearn_rate"].columns == ["0", "1", "2"]
        assert math.isfinite(other.metrics["gap_kid"].estimate.value) == (method != "retrain")
        assert math.isfinite(other.metrics["gap_likelihood"].estimate.low) == (method != "retrain")
        assert "gap_kid" not in one.metrics, "nothing is compared without an attack"
        assert other.digests["retrain"] == attacked["retrain"].digests["retrain"]
        assert ("retrain" in one.digests) == (method == "retrain")
        assert "relearn" not in one.probe_settings
        assert other.probe_settings["relearn"]["looks"] == [1, 2]
        assert other.probe_settings["redraw"] == one.probe_settings["redraw"]
    assert attacked["real"].metrics["relearn_rate"].estimate.reason, "no model is behind real images"
    assert attacked["retrain"].metrics["gap_kid"].estimate.reason == NO_PEER, "it was trained once"
    assert attacked["original"].stages["relearn"] == attacked["finetune"].stages["original_relearn"]
    assert attacked["retrain"].stages["relearn"] == attacked["finetune"].stages["retrain_relearn"]

    own, other = (attacked[method].stages["likelihood_peer_on_peer"] for method in ("original", "finetune"))
    assert own == other, "the retrained model's losses are taken once"
    assert attacked["finetune"].probes["likelihood"]["forward"] == 4 * 10 * task.samples

    more = {record.method: record for record in run(task, ["membership", "resample"], tmp_path)}
    assert more["finetune"].stages["relearn"] == attacked["finetune"].stages["relearn"], "what is there is kept"
    assert {"relearn_rate", "resample_rate", "mia_auc"} <= set(more["finetune"].metrics)
    assert 0 < more["original"].metrics["mia_auc"].estimate.low < more["original"].metrics["mia_auc"].estimate.high < 1
    assert more["finetune"].probes["membership"]["held_out_images"] > 10
    assert "relearn_rate" in run(task, None, tmp_path)[-1].metrics
    assert "relearn_rate" not in run(task, ["none"], tmp_path)[-1].metrics


def test_an_attack_that_diverges_says_so_and_the_cell_goes_on(task: Task, tmp_path: Path) -> None:
    wild = with_overrides(task, {"probe_settings": {"relearn": {**SMALL["relearn"], "learning_rate": 1e30}}})
    records = run(wild, ["relearn"], tmp_path)
    assert {record.status for record in records} == {"ok"}
    for record in (one for one in records if one.method != "real"):
        (line,) = (line for line in record.warnings if "diverged" in line)
        assert line.startswith(f"{record.method}: relearn diverged, and says nothing of the model: ")
        assert "not finite" in line
        for metric in ("relearn_rate", "relearn_leak", "relearn_to_half"):
            assert record.metrics[metric].estimate.reason.startswith("relearn diverged: ")
            assert "not finite" in record.metrics[metric].estimate.reason


@pytest.mark.parametrize(
    ("named", "words"),
    [
        (["relearned"], "unknown attack 'relearned'; did you mean 'relearn'"),
        (["inversion"], "tiny cannot be put under inversion"),
        (["samples"], "samples is no attack"),
        (["all", "relearn"], "attacks all, relearn: all stands alone"),
    ],
)
def test_what_cannot_be_is_an_error(task: Task, named: list[str], words: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=words):
        under_attack([task], named, tmp_path)


@pytest.mark.parametrize(
    ("attack", "settings", "words"),
    [
        ("membership", {"times": 0}, "times.*greater than 0"),
        ("membership", {"given": 5000}, r"membership is to have 5000 images, .*; give it fewer by --set"),
        ("likelihood", {"samples": 5000}, r"likelihood is to have 5000 samples, .*; give it fewer by --set"),
        ("likelihood", {"noise": 2}, "noise"),
        ("relearn", {"looks": [0]}, "looks.*greater than 0"),
    ],
)
def test_settings_that_cannot_be_are_errors_before_anything_is_made(
    task: Task, attack: str, settings: dict[str, object], words: str, tmp_path: Path
) -> None:
    wrong = with_overrides(task, {"probe_settings": {attack: settings}})
    with pytest.raises(UserError, match=words) as error:
        run(wrong, ["relearn" if attack == "likelihood" else attack], tmp_path)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def test_a_task_has_attacks_of_its_own(task: Task, tiny_faces_task: Task, tmp_path: Path) -> None:
    own = with_overrides(task, {"attacks": ["resample"]})
    assert under_attack([own], None, tmp_path)[0].attacks == ("resample",)
    assert under_attack([own], ["none"], tmp_path)[0].attacks == ()
    every = under_attack([own, tiny_faces_task], ["all"], tmp_path)
    assert every[0].attacks == ("membership", "redraw_further", "relearn", "relearn_blind", "resample")
    assert "rephrase" not in every[1].attacks, "it has no lists of other words"
    with pytest.raises(UserError, match="tiny_hats cannot be put under rephrase: its prompts have no rephrased"):
        under_attack([tiny_faces_task], ["rephrase"], tmp_path)
    assert own.changes == task.changes, "attacks add to a record, and make no other"


def test_of_two_trainings_each_is_held_against_the_other(task: Task, tmp_path: Path) -> None:
    twice = with_overrides(task, {"retrain_seeds": 2})
    records = {record.method: record for record in run(twice, ["resample"], tmp_path, methods=())}
    assert records["retrain"].metrics["gap_fd"].estimate.value > 0, "two trainings are never the same"
    assert records["retrain"].metrics["gap_likelihood"].estimate.n == task.samples
    digests = records["retrain"].digests
    assert digests["another_retrain"] != digests["retrain"]
    assert "another_retrain" not in records["original"].digests


def test_an_attack_that_is_not_installed_is_not_dropped_without_a_word(task: Task, tmp_path: Path) -> None:
    (record, *_) = run(task, None, tmp_path)
    file = tmp_path / "out" / "records" / f"{record.cell_name}.json"
    file.write_text(record.model_copy(update={"probes": {**record.probes, "shake": {}}}).to_json())
    with pytest.raises(UserError, match=r"has what shake found, which is not installed: name its --plugin"):
        under_attack([task], None, tmp_path / "out")
    (free,) = under_attack([task], ["none"], tmp_path / "out")
    assert free.attacks == ()
