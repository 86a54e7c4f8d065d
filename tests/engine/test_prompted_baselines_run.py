"""A full cell of each baseline for text-to-image models, on the smallest whole task; and where they cannot run."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from commands import cli

from vdu_bench.data.sources.faces import NAMES
from vdu_bench.records import Record, read_records

METHODS = ("concept_ablation", "uce", "rece", "spm", "forget_me_not", "adv_unlearn")
QUICK = {
    "concept_ablation": "{steps: 2, batch_size: 4, learning_rate: 0.1, images: 4, hold: 0}",
    "spm": "{steps: 2, batch_size: 4, learning_rate: 0.1, x_t_steps: 3}",
    "forget_me_not": "{steps: 2, batch_size: 4, learning_rate: 0.1}",
    "rece": "{rounds: 2}",
    "adv_unlearn": "{steps: 2, batch_size: 4, preserve_batch: 3, images: 4, attack_steps: 3, plain: 0.5}",
}


@pytest.fixture(scope="module")
def records(tiny_faces_file: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Record]:
    """Those of a finished run, by method."""
    root = tmp_path_factory.mktemp("prompted")
    settings = [f"task.method_settings.{method}={values}" for method, values in QUICK.items()]
    cli(
        "run", "-q", "--task", tiny_faces_file, "--methods", ",".join(METHODS), "--device", "cpu",
        "--store", root / "store", "--out", root / "out", *(word for s in settings for word in ("--set", s)),
    )  # fmt: skip
    return {record.method: record for record in read_records(root / "out")}


def test_every_cell_is_measured_whole(records: dict[str, Record]) -> None:
    assert set(records) == {"original", "retrain", "real", *METHODS}
    for method in METHODS:
        record = records[method]
        assert (record.status, record.warnings) == ("ok", [])
        for name, metric in record.metrics.items():
            assert not math.isnan(metric.estimate.value) or name == "unlearn_peak_memory", name
        assert record.metrics["pair_drift"].estimate.value > 0
        assert record.matrices["interference"].columns == list(NAMES)
        assert record.outcomes["forget"].n == 16


def test_the_ledger_says_who_saw_what(records: dict[str, Record]) -> None:
    ledgers = {method: tuple(records[method].ledger.model_dump().values()) for method in METHODS}
    assert ledgers == {
        # Forget images, retained images, posterior, prompts, images replayed.
        "concept_ablation": (0, 0, False, True, 4),
        "uce": (0, 0, False, True, 0),
        "rece": (0, 0, False, True, 0),
        "spm": (0, 0, False, True, 0),
        "forget_me_not": (8, 0, False, True, 0),
        "adv_unlearn": (0, 0, False, True, 8),
    }


def test_closed_forms_evaluate_nothing_and_the_others_what_they_say(records: dict[str, Record]) -> None:
    counted = {
        method: tuple(records[method].metrics[f"nfe_{way}"].estimate.value for way in ("forward", "backward"))
        for method in METHODS
    }
    assert counted["uce"] == counted["rece"] == (0, 0)
    assert counted["forget_me_not"] == (8, 8)
    # Four images of two guided steps; two steps of four, with and without gradients.
    assert counted["concept_ablation"] == (4 * 2 * 2 + 2 * 4 * 2, 2 * 4)
    assert counted["spm"][1] == 2 * 4 * 2
    # Two times four images of two guided steps; two steps of four and three; in the second, three of the attacker's.
    assert counted["adv_unlearn"] == (2 * 4 * 2 * 2 + 2 * (4 * 3 + 3 * 2) + 3 * 4 * 2, 2 * (4 + 3) + 3 * 4)


@pytest.mark.parametrize("method", METHODS)
def test_an_unconditional_task_is_refused_in_a_line(
    tiny_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], method: str
) -> None:
    cli("run", "-q", "--task", tiny_file, "--methods", method, "--store", tmp_path, "--out", tmp_path / "out", code=2)
    said = capsys.readouterr().err
    assert f"{method} cannot run on tiny: it works on text_to_image models only" in said
    assert said.count("\n") == 1
