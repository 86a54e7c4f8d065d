"""The object tasks, whole but for their size: Imagenette's real layout, a tiny pipeline in the place of SD 1.4."""

from __future__ import annotations

from pathlib import Path

import pytest
from checkpoint_series import small, write_series
from commands import cli
from miniatures import write_imagenette

import vdu_bench.data.sources.imagenette
from vdu_bench.data.sources.imagenette import CLASSES
from vdu_bench.models.specs import LatentRecipe
from vdu_bench.records import read_records
from vdu_bench.tasks.loading import find_task
from vdu_bench.tasks.prompts import PromptSpec

NAMES = ("imagenette_church", "imagenette_garbage_truck", "imagenette_parachute", "imagenette_tench")


def prompts_of(name: str) -> PromptSpec:
    prompts = find_task(name).prompts
    assert prompts is not None
    return prompts


def every(prompts: PromptSpec) -> list[str]:
    return [
        *prompts.every,
        *prompts.captions.subjects,
        *(p for said in prompts.captions.phrases.values() for p in said),
    ]


@pytest.mark.parametrize("name", NAMES)
def test_prompts_fit_into_clip_s_text_encoder_and_ask_for_one_class_each(name: str) -> None:
    from open_clip import SimpleTokenizer

    task, prompts = find_task(name), prompts_of(name)

    def asked(prompt: str) -> set[str]:
        return {one for one, said in prompts.captions.phrases.items() if any(phrase in prompt for phrase in said)}

    tokenizer = SimpleTokenizer()
    assert all(len(tokenizer.encode(prompt)) + 2 <= 77 for prompt in every(prompts))
    for prompt in (*prompts.forget[:4], *prompts.concept, *prompts.tuning):
        assert asked(prompt) == {task.forget}, prompt
    for retained in (prompts.retain, prompts.tuning_retain):
        assert all(asked(prompt) == set(classes) for prompt, classes in retained.items())
    assert {one for classes in prompts.retain.values() for one in classes} == set(CLASSES) - {task.forget}
    assert {one for prompt in prompts.preserve for one in asked(prompt)} == set(CLASSES) - {task.forget}
    assert asked(prompts.anchor) == set()
    assert not any(asked(prompt) - {task.forget} for said in prompts.rephrased.values() for prompt in said)
    assert set(prompts.captions.phrases) == set(CLASSES)
    # The title is the class's own word.
    assert CLASSES[task.forget] == name.removeprefix("imagenette_").replace("_", " ")


def test_a_miniature_runs_whole(
    tiny_latent_recipe: LatentRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vdu_bench.data.sources.imagenette, "IMAGES", {"train": 60, "val": 20})
    write_imagenette(tmp_path / "data" / "imagenette2-320")
    series = write_series(tmp_path / "series", tiny_latent_recipe, every(prompts_of("imagenette_church")))
    data = ["--data-dir", tmp_path / "data", "--set", "task.data.size=16"]
    places = ["--store", tmp_path / "store", "--out", tmp_path / "out", "--device", "cpu"]
    cli("run", "--task", "imagenette_church", "--methods", "vdu,esd", *small(series), *data, *places)
    found = {record.method: record for record in read_records(tmp_path / "out")}
    assert set(found) == {"original", "real", "vdu", "esd"}
    for record in found.values():
        assert record.status == "ok", record.reason
        assert record.protocol is not None
        assert record.protocol.scale == "full"
        assert {"pul", "retain_accuracy", "fd_judge", "junk_rate"} <= set(record.metrics)
    assert found["vdu"].ledger is not None
    assert found["vdu"].ledger.forget_images <= 6
    board = (tmp_path / "out" / "leaderboard.md").read_text()
    assert "church" in board
