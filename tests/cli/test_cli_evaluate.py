"""`vdu-bench evaluate` as a user meets it: the row beside those of a run, and one clear line for every mistake."""

from __future__ import annotations

import csv
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from commands import cli
from elsewhere import Bomb, publish
from safetensors.torch import load_file, save_file

from vdu_bench.tasks.task import Task

HEAVY = ("torch", "diffusers", "pandas", "matplotlib", "scipy", "sklearn", "transformers", "peft")
WEIGHTS = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def done(tiny_file: Path, tiny_task: Task, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``store`` and ``out`` of a run, and the model that it made as ``published``."""
    root = tmp_path_factory.mktemp("done")
    cli("run", "-q", "--task", tiny_file, "--methods", "vdu", "--store", root / "store", "--out", root / "out")
    publish(root / "store", tiny_task, root / "published")
    return root


@pytest.fixture
def root(done: Path, tmp_path: Path) -> Path:
    """A copy of it, to be added to."""
    return Path(shutil.copytree(done, tmp_path / "root"))


def rows(out: Path) -> dict[tuple[str, str], dict[str, str]]:
    """The leaderboard's rows by task and method."""
    with (out / "leaderboard.csv").open() as stream:
        return {(row["task"], row["method"]): row for row in csv.DictReader(stream)}


def test_its_row_stands_beside_those_of_the_run(
    root: Path, tiny_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = root / "other.yaml"
    other.write_text(tiny_file.read_text().replace("name: tiny", "name: other", 1))
    place = ("--store", root / "store", "--out", root / "out")
    cli("run", "-q", "--task", f"{tiny_file},{other}", "--methods", "vdu", *place)
    before = rows(root / "out")
    capsys.readouterr()
    cli("evaluate", "--task", tiny_file, "--checkpoint", root / "published", "--name", "mine", *place)
    said = capsys.readouterr()
    assert "tiny/mine: a whole pipeline" in said.err
    assert "external" in said.out
    assert "not known: the model was" in " ".join(said.out.split())
    assert "other  Forget" not in said.out
    after = rows(root / "out")
    mine = after.pop(("tiny", "mine"))
    assert {key: {name: row[name] for name in before[key]} for key, row in after.items()} == before
    assert (mine["role"], mine["regime"], mine["status"]) == ("external", "unknown", "ok")
    assert mine["pul"] == before["tiny", "vdu"]["pul"]
    for cost in ("unlearn_seconds", "nfe_forward", "nfe_backward", "unlearn_peak_memory", "training_images"):
        assert mine[cost] == "", cost
    assert "| mine (external)" in (root / "out" / "leaderboard.md").read_text()
    assert (root / "out" / "plots" / "tiny_samples.png").exists()


def test_what_is_stated_is_shown_and_several_seeds_are_one_row(root: Path, tiny_file: Path) -> None:
    cli(
        "evaluate", "-q", "--task", tiny_file, "-c", root / "published", "--seeds", "0,1", "--unlearning-seconds", "90",
        "--samples", "20", "--set", "task.sampler.steps=2", "--store", root / "store", "--out", root / "elsewhere",
    )  # fmt: skip
    found = rows(root / "elsewhere")
    assert set(found) == {("tiny+sampler.steps=2+samples=20", method) for method in ("original", "published")}
    published = found["tiny+sampler.steps=2+samples=20", "published"]
    assert published["seeds"] == "0 1"
    assert float(published["unlearn_seconds"]) == 90


def test_the_same_again_is_reused_without_torch(
    root: Path, tiny_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = ("--store", root / "store", "--out", root / "out")
    command = ("evaluate", "--task", tiny_file, "--checkpoint", root / "published", *place)
    cli(*command)
    capsys.readouterr()
    code = f"""
import sys
from vdu_bench.cli.main import main
sys.argv = ["vdu-bench", *{list(map(str, command))!r}]
try:
    main()
except SystemExit as stop:
    assert stop.code == 0
print("HEAVY:", [name for name in {HEAVY!r} if name in sys.modules])
"""
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert finished.stdout.splitlines()[-1] == "HEAVY: []", finished.stdout
    assert "reused 1 of 1 cells" in finished.stderr
    cli(*command, "--fresh")
    assert "[1/1] tiny/published/seed0: ok" in capsys.readouterr().err


def test_gate_and_blessing_go_on(root: Path, tiny_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli("bless", "--records", root / "out", "--reference", root / "reference")
    place = ("--store", root / "store", "--out", root / "out")
    cli("evaluate", "-q", "--task", tiny_file, "--checkpoint", root / "published", "--name", "mine", *place)
    gate = ("--records", root / "out", "--reference", root / "reference")
    cli("check", *gate)
    assert "tiny/mine" in capsys.readouterr().out
    cli("bless", *gate)
    assert "tiny/mine/seed0: new" in capsys.readouterr().out
    cli("check", *gate)
    for format in ("markdown", "latex", "csv", "json"):
        cli("table", root / "out", "--format", format)
        assert "mine" in capsys.readouterr().out


def _hostile(root: Path) -> Path:
    (root / "hostile.ckpt").write_bytes(pickle.dumps(Bomb(root / "exploded"), protocol=2))
    return root / "hostile.ckpt"


def _changed(root: Path, **changes: Any) -> Path:
    state = load_file(root / "published" / WEIGHTS)
    save_file({**state, **{name: change(state) for name, change in changes.items()}}, root / "changed.safetensors")
    return root / "changed.safetensors"


MISTAKES: dict[str, tuple[Any, list[str], str]] = {
    "a pickle with code": (_hostile, [], "hostile.ckpt cannot be read as tensors alone"),
    "left-over weights": (
        lambda root: _changed(root, more=lambda state: state["conv_in.bias"].clone()),
        [],
        "such as more",
    ),
    "a wrong shape": (
        lambda root: _changed(root, **{"conv_in.bias": lambda state: state["conv_in.bias"][:1].clone()}),
        [],
        "conv_in.bias is [1], and in the base [8]",
    ),
    "nothing there": (lambda root: root / "nowhere.safetensors", [], "there is no file"),
    "an empty folder": (lambda root: (root / "empty").mkdir() or root / "empty", [], "holds neither a pipeline"),
    "a method's name": (lambda root: root / "published", ["--name", "esd"], "is the name of a method"),
    "a bad name": (lambda root: root / "published", ["--name", "Über"], "use small letters"),
    "a device's name": (lambda root: root / "published", ["--name", "nul"], "Windows has a device of this name"),
    "two tasks": (lambda root: root / "published", ["--task", "digits_1,digits_8"], "one task at a time"),
    "an unknown task": (lambda root: root / "published", ["--task", "digit_1"], "did you mean 'digits_1'"),
    "a method's setting": (lambda root: root / "published", ["--set", "vdu.gamma=1"], "no method is run here"),
    "an unknown setting": (lambda root: root / "published", ["--set", "task.sampels=9"], "did you mean 'samples'"),
    "seconds below zero": (lambda root: root / "published", ["--unlearning-seconds", "-1"], "not a number of seconds"),
    "a missing seed": (lambda root: root / "published", ["--seeds", "x"], "not a whole number"),
    "an unknown device": (lambda root: root / "published", ["--device", "tpu"], "device"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_exit_2_and_no_record(
    mistake: str, root: Path, tiny_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint, arguments, words = MISTAKES[mistake]
    given = {"--task": tiny_file, "--checkpoint": checkpoint(root), "--store": root / "store", "--out": root / "out"}
    given |= dict(zip(arguments[::2], arguments[1::2], strict=True))
    before = {file: file.read_bytes() for file in (root / "out").rglob("*") if file.is_file()}
    cli("evaluate", "-q", *(word for pair in given.items() for word in pair), code=2)
    said = capsys.readouterr()
    assert words in said.err
    assert said.err.startswith("vdu-bench: ")
    assert said.err.count("\n") == 1
    assert said.out == ""
    assert {file: file.read_bytes() for file in (root / "out").rglob("*") if file.is_file()} == before
    assert not (root / "exploded").exists()


def test_a_pipeline_of_another_kind_is_refused(
    root: Path, tiny_file: Path, tiny_pipeline: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = ("--store", root / "store", "--out", root / "out")
    cli("evaluate", "-q", "--task", tiny_file, "--checkpoint", tiny_pipeline, *place, code=2)
    said = capsys.readouterr().err
    assert "is a StableDiffusionPipeline, and an unconditional task needs a DDPMPipeline" in said
    assert said.count("\n") == 1
    cli("evaluate", "-q", "--task", "faces_hats", "--checkpoint", root / "published", *place, code=2)
    assert "is a DDPMPipeline, and a text_to_image task needs a StableDiffusionPipeline" in capsys.readouterr().err


def test_help_teaches_and_imports_nothing_heavy() -> None:
    code = f"""
import sys
from vdu_bench.cli.main import main
sys.argv = ["vdu-bench", "evaluate", "--help"]
try:
    main()
except SystemExit as stop:
    assert stop.code == 0
print("HEAVY:", [name for name in {HEAVY!r} if name in sys.modules])
"""
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert finished.stdout.splitlines()[-1] == "HEAVY: []"
    assert "vdu-bench evaluate --task faces_hats --checkpoint" in finished.stdout
    assert "--unlearning-seconds" in finished.stdout


def test_a_later_run_keeps_its_row_as_long_as_it_compares(
    root: Path, tiny_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = ("--store", root / "store", "--out", root / "out")
    cli("evaluate", "-q", "--task", tiny_file, "--checkpoint", root / "published", "--name", "mine", *place)
    cli("run", "-q", "--task", tiny_file, "--methods", "vdu,finetune", *place)
    assert {method for _, method in rows(root / "out")} == {"original", "real", "retrain", "vdu", "finetune", "mine"}
    capsys.readouterr()
    mine = root / "out" / "records" / "tiny" / "mine" / "seed0.json"
    text = mine.read_text()
    mine.write_text(text.replace('"dtype": "float32"', '"dtype": "float16"'))
    cli("run", "--task", tiny_file, "--methods", "vdu", *place)
    mine.write_text(text)
    said = " ".join(capsys.readouterr().err.split())
    assert f"tiny/mine/seed0 in {root / 'out'} is left out of the tables" in said
    assert {method for _, method in rows(root / "out")} == {"original", "real", "retrain", "vdu"}
