"""One clear line, exit code 2 and nothing written, for every mistake in the arguments."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import bad_file, cli

from vdu_bench.errors import warn

REFERENCE = Path(__file__).parents[2] / "results" / "reference"

CALLED_VDU = """
from vdu_bench.methods.original import Original

class Mine(Original):
    name = "vdu"
"""

UNFINISHED = """
from abc import ABC

from vdu_bench.methods.method import Method
from vdu_bench.methods.original import Original
from vdu_bench.metrics.metric import Metric

class Base(Method, ABC):
    pass

class OwnBase(Method):
    pass

class Mine(OwnBase):
    def unlearn(self, model, context):
        return model

class Mine2(Method):
    pass

class Counted(Metric):
    label = "x"
"""

SWEEP = ["sweep", "--task", "digits_1", "--methods", "vdu"]

MISTAKES = {
    "unknown task": (["--task", "digits_one"], "unknown task 'digits_one'"),
    "unknown task, close": (["--task", "digit_1"], "did you mean 'digits_1'"),
    "unknown method": (["--methods", "vdo"], "did you mean 'vdu'"),
    "a name in capitals": (["--methods", "VDU"], "did you mean 'vdu'"),
    "unknown setting": (["--set", "vdu.gama=1"], "did you mean 'gamma'"),
    "setting out of range": (["--set", "vdu.gamma=2"], "vdu.gamma=2: it should be less than or equal to 1"),
    "setting of the wrong type": (["--set", "vdu.steps=many"], "vdu.steps='many'"),
    "a truth value for a number": (["--set", "vdu.steps=true"], "vdu.steps='true': it is not a whole number"),
    "a truth value of the task": (["--set", "task.samples=yes"], "task.samples: 'true' is not a whole number"),
    "setting without an owner": (["--set", "gamma=1"], "OWNER.NAME=VALUE"),
    "setting of a method that is not run": (["--set", "esd.eta=1"], "not among the methods"),
    "unknown task setting": (["--set", "task.sampels=5"], "did you mean 'samples'"),
    "regime that forbids": (["--methods", "finetune", "--regime", "forget_only"], "forbids"),
    "unknown regime": (["--regime", "full,forget"], "there is no regime 'forget'; did you mean 'forget_only'?"),
    "regime twice": (["--regime", "full,full"], "--regime names 'full' twice"),
    "samples of zero": (["--samples", "0"], "samples"),
    "one sample": (["--samples", "1"], "--samples 1: at least 2"),
    "one sample, by --set": (["--set", "task.samples=1"], "vdu-bench: task: samples: at least 2"),
    "no selection of weights": (["--set", "vdu.weights=foo"], "cross_attention"),
    "seeds that end before they begin": (["--seeds", "4-2"], "4-2 ends before it begins"),
    "seed in a range twice": (["--seeds", "0-2,1"], "--seeds names 1 twice"),
    "more seeds than anybody runs": (["--seeds", "0-99999999"], "more than 10,000 seeds"),
    "more seeds in several ranges": (["--seeds", "0-5999,6000-10000"], "more than 10,000 seeds"),
    "settings of no probe": (["--set", "task.probe_settings.relern.looks=[3]"], "did you mean 'relearn'"),
    "unknown setting of a probe": (["--set", "task.probe_settings.redraw.image=3"], "did you mean 'images'"),
    "all beside others": (["--methods", "all,vdu"], "methods all, vdu: all stands alone"),
    "an empty name": (["--name", ""], "--name '' is empty"),
    "a name with a dot at its end": (["--name", "best."], "end with no ."),
    "no forget images": (["--set", "task.forget_images=0"], "0 should be 'all' or greater than 0"),
    "negative samples": (["--samples", "-5"], "samples"),
    "seed that is no number": (["--seeds", "0,x"], "'x' is not a whole number"),
    "negative seed": (["--seeds", "-1"], "not a whole number"),
    "seed twice": (["--seeds", "1,1"], "twice"),
    "empty name": (["--methods", "vdu,"], "a name is empty"),
    "missing task file": (["--task", "./nowhere.yaml"], "cannot read the task file"),
    "missing plug-in": (["--plugin", "./nowhere.py"], "no plug-in file"),
    "missing settings file": (["--settings", "./nowhere.yaml"], "cannot read the settings file"),
    "unknown device": (["--device", "tpu"], "device"),
    "a GPU that is not there": (["--device", "cuda:99"], "there is no device"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_exit_2_and_nothing_written(
    mistake: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments, words = MISTAKES[mistake]
    given = {"--task": "digits_1", "--methods": "vdu", "--store": str(tmp_path / "s"), "--out": str(tmp_path / "o")}
    given |= dict(zip(arguments[::2], arguments[1::2], strict=True))
    cli("run", "-q", *(word for pair in given.items() for word in pair), code=2)
    said = capsys.readouterr()
    assert words in said.err
    assert said.err.startswith("vdu-bench: ")
    assert said.err.count("\n") == 1
    assert said.out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("import nothing_of_this_name\n", "fails to import: ModuleNotFoundError"),
        ("1 +\n", "fails to import: SyntaxError"),
        ("x = 1\n", "defines no Method, no Probe, no Metric and no DataSource"),
        (CALLED_VDU, "two methods are called 'vdu'"),
        (UNFINISHED, "Mine2 lacks unlearn"),
        (UNFINISHED.replace("Mine2(Method)", "Mine2(Original)"), "Counted lacks compute"),
    ],
)
def test_a_broken_plug_in_is_named(
    tmp_path: Path, content: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    plugin = bad_file(tmp_path, "broken.py", content)
    out = tmp_path / "out"
    cli("run", "-q", "--task", "digits_1", "--methods", "vdu", "--plugin", plugin, "--out", out, code=2)
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert not out.exists()


def test_an_out_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blocked = bad_file(tmp_path, "file", "")
    cli("run", "-q", "--task", "digits_1", "--methods", "vdu", "--out", blocked / "out", code=2)
    assert "cannot write to --out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["table", "nowhere"], "is not a folder of records"),
        (["plot", "nowhere"], "is not a folder of records"),
        (["table", str(REFERENCE), "--layout", "paper", "--format", "json"], "terminal or markdown or latex or csv"),
        (["table", str(REFERENCE), "--layout", "paper", "--sort", "pul"], "--sort goes with --layout leaderboard"),
        (["table", str(REFERENCE), "--metrics", "fd_jude"], "did you mean 'fd_judge'"),
        (["table", str(REFERENCE), "--task", "digits_3"], "there are no records of it"),
        (["check", "--records", str(REFERENCE), "--reference", "nowhere"], "there is no reference at nowhere"),
        (["table", str(REFERENCE), "--layout", "paper", "--published", str(REFERENCE)], "no published numbers in"),
        (["table", str(REFERENCE), "--published", "."], "--published goes with --layout paper"),
        (["table", str(REFERENCE), "--layout", "data", "--format", "json"], "terminal or markdown or latex or csv"),
        (["plot", str(REFERENCE), "--kind", "data", "--out", "nowhere"], "was run with two amounts of data"),
        (["table", str(REFERENCE), "--scale", "full"], "there are of: embedded"),
        (["table", str(REFERENCE), "--regime", "full"], "--regime goes with --layout data"),
        (["table", str(REFERENCE), "--layout", "data", "--regime", "forget_only"], "run under it; under: full"),
        (["table", str(REFERENCE), "--layout", "data", "--regime", "ful"], "did you mean 'full'"),
        (["check", "--records", "nope", "--reference", "nowhere"], "nope is not a folder of records"),
        ([*SWEEP, "--set", "vdu.steps=10", "--values", "10,20"], "vdu.steps is set, and values are given"),
        ([*SWEEP, "--set", "vdu.gamma=0.3", "--set", "vdu.gamma=0.4"], "--set gives vdu.gamma twice"),
        (
            [*SWEEP, "--set", "task.sampler={steps: 5}", "--set", "task.sampler.steps=4"],
            "gives task.sampler.steps twice",
        ),
        ([*SWEEP, "--set", "task.samples=50", "--samples", "60"], "--samples and --set task.samples say the same"),
        ([*SWEEP, "--over", ""], "--over '' is empty"),
        ([*SWEEP, "--methods", "all,vdu"], "all stands alone"),
        (["tune", *SWEEP[1:], "--methods", "all,vdu"], "all stands alone"),
        ([*SWEEP, "--methods", "all", "--over", "nothing"], "no method has a setting 'nothing'"),
        (["show", "vdo"], "did you mean 'vdu'"),
        (["show", "nope"], "is called 'nope' (vdu-bench list tasks,"),
        (["run", "--task", "nope"], "unknown task 'nope' (vdu-bench list tasks names them)"),
        (["table", str(REFERENCE), "--metrics", "nope"], "no record has a metric 'nope' (there are "),
        (
            ["table", str(REFERENCE), "--task", "digits_1", "--metrics", "inversion_rate"],
            "run --attacks inversion measures it",
        ),
        (["table", str(REFERENCE), "--metrics", "fid_inception"], "was not measured in these records"),
        (["list", "things"], "'things' is not one of"),
        (["run", "--task", "digits_1", "--samples", "x"], "'x' is not a "),
        (["run", "--task", "digits_1", "--seeds", ""], "--seeds '': no seed is given"),
        (["run", "--task", "digits_1", "--seeds", "1,,2"], "a seed is empty; give seeds with commas between"),
        (["run", "--task", "digits_1", "--set", "task.name=Ab c"], "task.name: 'Ab c' has other characters than small"),
        (["new", "task", "mine", "--data", "nowhere"], "--data nowhere: there is no such folder"),
        (["run"], "--task"),
        (["runn"], "runn"),
        (["run", "--task", "digits_1", "--regime", "none"], "none"),
    ],
)
def test_other_mistakes(command: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    cli(*command, code=2)
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("command", ["run", "run --dry-run", "sweep", "evaluate"])
def test_a_store_that_cannot_be_made(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blocked = bad_file(tmp_path, "file", "")
    what = ["--checkpoint", blocked, "--name", "x"] if command == "evaluate" else ["--methods", "vdu"]
    places = ["--store", blocked / "store", "--out", tmp_path / "out"]
    cli(*command.split(), "-q", "--task", "digits_1", *what, *places, code=2)
    said = capsys.readouterr().err
    assert "cannot write to --store" in said or command == "evaluate"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["plot", "page", "prepare"])
def test_a_place_that_cannot_be_written(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blocked = bad_file(tmp_path, "file", "")
    store = ["--store", tmp_path / "store"]
    what = ["--task", "digits_1", "--export"] if command == "prepare" else [REFERENCE, "--out"]
    for place in (blocked, blocked / "inside"):
        cli(command, *what, place, *store, code=2)
        said = capsys.readouterr().err
        assert f"vdu-bench: cannot write to {what[-1]} {place}" in said
        assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == [blocked]


def test_a_page_has_a_title(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli("page", REFERENCE, "--out", tmp_path / "site", "--title", " ", code=2)
    assert "--title is empty" in capsys.readouterr().err
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("how", [[], ["--dry-run"]], ids=["run", "dry run"])
def test_a_dry_run_refuses_what_a_run_refuses(
    how: list[str], tmp_path: Path, tiny_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = bad_file(tmp_path, "other.yaml", tiny_file.read_text().replace("samples: 40", "samples: 20"))
    places = ["--store", tmp_path / "store", "--out", tmp_path / "out", *how]
    cli("run", "-q", "--task", f"{tiny_file},{other}", "--methods", "vdu", *places, code=2)
    assert "two tasks are called tiny: give one of them another `name:`" in capsys.readouterr().err
    cli("run", "-q", "--task", tiny_file, "--methods", "vdu", *places, "--jobs", "2", "--dask", "x", code=2)
    assert "--jobs and --dask exclude each other" in capsys.readouterr().err
    cli("run", "-q", "--task", tiny_file, "--methods", "vdu", *places, "--jobs", "2", "--device", "cpu,cpu", code=2)
    assert "device" in capsys.readouterr().err
    cli("run", "-q", "--task", tiny_file, "--methods", "vdu", *places[:2], "--out", other, *how, code=2)
    assert f"cannot write to --out {other}" in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["other.yaml"]


def test_settings_of_a_probe_that_is_not_run_are_told_to_decide_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    warn.cache_clear()
    settings = ["--set", "task.probe_settings.relearn.looks=[3]", "--dry-run", "--store", tmp_path, "--out", tmp_path]
    command = ["run", "-q", "--task", "digits_1", "--methods", "vdu"]
    cli(*command, *settings)
    said = capsys.readouterr().err
    assert "warning: task.probe_settings.relearn decide nothing here" in said
    assert "without --attacks relearn" in said
    warn.cache_clear()
    cli(*command, "--attacks", "relearn", *settings)
    said = capsys.readouterr()
    assert said.err == ""
    # However wide the screen is that it is folded at.
    told = " ".join(said.out.split())
    assert "attacks are not counted of which no record in the folder or the store tells: relearn" in told
    cli(*command, "--set", "task.probe_settings.relearn.look=[3]", *settings[2:], code=2)
    assert "Relearn has no setting 'look'; did you mean 'looks'" in capsys.readouterr().err
