"""An unconditional base from elsewhere, laid out, named and pickled as google/ddpm-cifar10-32: a whole run on it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from commands import cli
from elsewhere import lay_flat

from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.models.specs import ModelRecipe
from vdu_bench.records import Record, read_records

RUN = ("run", "--methods", "vdu", "--device", "cpu")


def command(verb: Sequence[str | Path], task: Path, root: Path, base: Path) -> list[str | Path]:
    laplace = ["--set", f"task.base={base}", "--set", "task.posterior={source: laplace, samples: 4}"]
    return [*verb, "--task", task, *laplace, "--store", root / "store", "--out", root / "out" / base.name]


def records(folder: Path) -> dict[str, Record]:
    return {record.method: record for record in read_records(folder)}


def test_it_is_run_and_evaluated_like_the_modern_layout(
    tiny_model: UnconditionalDDPM, tiny_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny_model.save(tmp_path / "modern")
    modern, flat = tmp_path / "modern", lay_flat(tmp_path / "modern", tmp_path / "flat")
    found = {}
    for base in (modern, flat):
        cli(*command(RUN, tiny_file, tmp_path, base))
        said = capsys.readouterr().err
        assert "tiny: retrain is left out: the base is from elsewhere, and there is no recipe" in said
        assert f"base model {base}: made" in said
        found[base] = records(tmp_path / "out" / base.name)
        assert found[base].keys() == {"original", "real", "vdu"}
        assert {record.status for record in found[base].values()} == {"ok"}
        assert found[base]["vdu"].ledger.posterior
    for name in ("original", "vdu"):
        assert found[flat][name].outcomes == found[modern][name].outcomes
        assert found[flat][name].metrics["fd_judge"] == found[modern][name].metrics["fd_judge"]
    # Judged by itself, it is the base.
    cli(*command(["evaluate", "--device", "cpu", "--checkpoint", flat], tiny_file, tmp_path, flat))
    external = records(tmp_path / "out" / "flat")["flat"]
    assert external.outcomes == found[flat]["original"].outcomes


def test_a_base_of_other_images_is_refused_before_anything_is_made(
    tiny_recipe: ModelRecipe, tiny_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, changed, shape in (("larger", {"sample_size": 16}, [1, 16, 16]), ("red", {"in_channels": 3}, [3, 8, 8])):
        recipe = tiny_recipe.model_copy(update={"denoiser": {**tiny_recipe.denoiser, **changed}})
        UnconditionalDDPM.from_recipe(recipe).save(tmp_path / name)
        cli(*command(RUN, tiny_file, tmp_path, tmp_path / name), code=2)
        said = " ".join(capsys.readouterr().err.split())
        assert f"{name} makes images of {json.dumps(shape)}, and the data are of [1, 8, 8]" in said
        assert not (tmp_path / "out" / name).exists()
