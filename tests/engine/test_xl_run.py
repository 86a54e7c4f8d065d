"""Whole cells on Stable Diffusion XL: methods, attacks, and what was made judged again from its exported form."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import cli
from pipelines import write_xl_pipeline

from vdu_bench.data.captions import words_of
from vdu_bench.models.pipelines.word_tokenizer import word_tokenizer
from vdu_bench.records import Record, read_records
from vdu_bench.tasks.task import Task

METHODS = ("vdu", "esd", "uce", "adv_unlearn")
SMALL = {
    "method_settings.adv_unlearn": {"steps": 2, "batch_size": 2, "preserve_batch": 2, "images": 4, "attack_steps": 2},
    "method_settings.vdu": {"steps": 2, "batch_size": 4, "learning_rate": 30, "error_cap": None},
    "method_settings.esd": {"steps": 2, "batch_size": 4, "learning_rate": 0.1, "x_t_steps": 3},
    "probe_settings.inversion": {"looks": [2], "batch_size": 4, "samples": 4},
    "probe_settings.prompt_search": {"words": 1, "rounds": 1, "candidates": 2, "batch_size": 4, "samples": 4},
    "posterior": {"source": "laplace", "samples": 4},
}


@pytest.fixture(scope="module")
def base(tiny_faces_task: Task, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny XL pipeline, with the words of the tiny faces' prompts."""
    assert tiny_faces_task.prompts is not None
    folder = tmp_path_factory.mktemp("base") / "xl"
    write_xl_pipeline(folder, words=word_tokenizer(words_of(tiny_faces_task.prompts.captions), 24))
    return folder


def command(base: Path, file: Path, verb: str, root: Path, *more: str | Path) -> list[str | Path]:
    settings = [part for key, value in SMALL.items() for part in ("--set", f"task.{key}={json.dumps(value)}")]
    places = ["--store", root / "store", "--out", root / "out"]
    return [verb, "--task", file, "--set", f"task.base={base}", *settings, *places, "--device", "cpu", "-q", *more]


def records(root: Path) -> dict[str, Record]:
    return {record.method: record for record in read_records(root / "out")}


def test_methods_and_attacks_take_it_and_what_they_made_is_judged_as_itself(
    base: Path, tiny_faces_file: Path, tmp_path: Path
) -> None:
    attacks = ["--attacks", "inversion,prompt_search", "--methods", ",".join(METHODS)]
    cli(*command(base, tiny_faces_file, "run", tmp_path, *attacks))
    found = records(tmp_path)
    assert set(found) == {*METHODS, "original", "real"}
    assert all(record.status == "ok" for record in found.values())
    for name in METHODS:
        rates = [found[name].metrics[f"{attack}_rate"].estimate.value for attack in ("inversion", "prompt_search")]
        assert all(0 <= rate <= 100 for rate in rates), name
    distances = {name: record.metrics["fd_judge"].estimate.value for name, record in found.items()}
    assert len(set(distances.values())) == len(distances)
    exported = tmp_path / "exported"
    cell = next((tmp_path / "out" / "records").rglob("adv_unlearn/*.json"))
    cli("export", cell, exported, "--store", tmp_path / "store", "--as", "changed")
    (file,) = exported.glob("*.safetensors")
    cli(*command(base, tiny_faces_file, "evaluate", tmp_path, "--checkpoint", file, "--name", "again"))
    again = records(tmp_path)["again"]
    assert again.status == "ok"
    assert again.metrics["fd_judge"].estimate.value == distances["adv_unlearn"]
