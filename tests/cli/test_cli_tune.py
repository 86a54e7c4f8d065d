"""The whole command on the tiny task: trials that are run, what is printed, and mistakes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from commands import cli

from vdu_bench.records import read_record

pytest.importorskip("optuna", reason="the extra 'tune' is not installed")

BUDGET = (
    "--set",
    "task.tuning.samples=40",
    "--set",
    "task.tuning.finalists=1",
    "--set",
    "task.tuning.finalist_seeds=[101]",
)


def test_tuned_and_run(tiny_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = ("--task", tiny_file, "--store", tmp_path / "store", "--device", "cpu", "--quiet")
    methods = ("--methods", "gradient_ascent,esd")
    cli("tune", *place, *methods, "--trials", "1", *BUDGET, "--out", tmp_path / "tuned")
    said = capsys.readouterr().out
    assert "tiny/esd: 1 trials" in said
    assert f"{tmp_path / 'tuned' / 'tiny' / 'gradient_ascent'}.yaml" in said
    settings = tmp_path / "tuned" / "tiny" / "settings.yaml"
    cli("run", *place, *methods, "--settings", settings, "--name", "tuned", "--out", tmp_path / "results")
    capsys.readouterr()
    for method in ("gradient_ascent", "esd"):
        found = json.loads((tmp_path / "tuned" / "tiny" / f"{method}.json").read_text())
        record = read_record(tmp_path / "results" / "records" / "tiny" / f"{method}+tuned" / "seed0.json")
        assert record.status == "ok"
        assert record.settings_from == "tuned"
        assert record.tuning_cost == found["cost"]
        assert found["chosen"]["settings"].items() <= record.settings.items()
    cli("table", tmp_path / "results", "--settings", "--layout", "long", "--format", "csv")
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.endswith("settings,settings_from,tuning_trials,tuning_evaluations")
    assert any(row.endswith(f",tuned,1,{found['cost']['evaluations']}") for row in rows)
    # Two at a time go on from the same journals, and leave the same.
    (tmp_path / "again" / "tiny").mkdir(parents=True)
    for method in ("gradient_ascent", "esd"):
        shutil.copy(tmp_path / "tuned" / "tiny" / f"{method}.journal", tmp_path / "again" / "tiny")
    cli("tune", *place, *methods, "--trials", "1", *BUDGET, "--out", tmp_path / "again", "--jobs", "2")
    for file in ("esd.json", "esd.csv", "gradient_ascent.json", "gradient_ascent.csv", "settings.yaml"):
        assert (tmp_path / "again" / "tiny" / file).read_bytes() == (tmp_path / "tuned" / "tiny" / file).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--methods", "retrain"), "retrain cannot be tuned: it is a row of reference"),
        (("--methods", "finetun"), "did you mean 'finetune'"),
        (("--methods", "finetune", "--set", "task.tuning.seed=5"), "task.tuning.seed"),
        (("--methods", "finetune", "--set", "finetune.steps=5"), "no method is run here"),
        (("--methods", "finetune,finetune"), "twice"),
        (("--methods", "finetune", "--trials", "0"), "--trials"),
    ],
)
def test_mistakes_are_told_before_anything_runs(
    tiny_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    out = tmp_path / "out"
    cli("tune", "--task", tiny_file, "--store", tmp_path / "store", "--out", out, *arguments, code=2)
    assert words in capsys.readouterr().err
    assert not out.exists()


def test_a_method_without_a_search_and_a_task_without_prompts(
    tiny_file: Path, tiny_faces_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plugin = tmp_path / "mine_untuned.py"
    plugin.write_text(
        "from vdu_bench.methods.method import Method\n\n\n"
        "class Untuned(Method):\n    supports = ('unconditional',)\n    needs = ()\n\n"
        "    def unlearn(self, model, context):\n        return model\n"
    )
    out = ("--out", tmp_path / "out")
    cli("tune", "--task", tiny_file, "--methods", "untuned", "--plugin", plugin, *out, code=2)
    assert "untuned cannot be tuned: its Settings declare no search" in capsys.readouterr().err
    cli("tune", "--task", tiny_faces_file, "--methods", "esd", *out, code=2)
    assert "tiny_hats cannot be tuned on" in capsys.readouterr().err


def test_two_tasks_of_one_name(tiny_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(tiny_file.read_text())
    out = tmp_path / "out"
    cli(
        "tune",
        "--task",
        f"{tiny_file},{other}",
        "--methods",
        "esd",
        "--store",
        tmp_path / "store",
        "--out",
        out,
        code=2,
    )
    assert "two tasks are called tiny: give one of them another `name:`" in capsys.readouterr().err
    assert not out.exists()
