"""`vdu-bench new`: what it writes runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from commands import cli
from data_folders import class_folders, portraits_with_table, table

from vdu_bench.data.catalog import load_data
from vdu_bench.engine.plugins import load_plugin
from vdu_bench.methods.catalog import METHODS
from vdu_bench.metrics.catalog import METRICS
from vdu_bench.probes.catalog import PROBES
from vdu_bench.records import read_records
from vdu_bench.tasks.loading import find_task

PEOPLE = ("--from", "faces_hats", "--attributes", "metadata.csv")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder to work in; what plug-ins register is gone after the test."""
    for registry in (METHODS, METRICS, PROBES):
        registry.entries()
        monkeypatch.setattr(registry, "_entries", dict(registry._entries))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "registry", "name", "found"),
    [
        (["method", "my_method"], METHODS, "my_method", ["my_method"]),
        (["method", "by_words", "--kind", "text_to_image"], METHODS, "by_words", ["by_words"]),
        (["metric", "my_2"], METRICS, "my_2", ["my_2"]),
        (["probe", "my_probe", "--out", "look.py"], PROBES, "my_probe", ["my_probe", "my_probe_rate"]),
        (
            ["probe", "a_1", "--kind", "attack"],
            PROBES,
            "a_1",
            ["a_1", "a_1_rate", "a_1_leak", "a_1_to_half"],
        ),
        (["probe", "my_loss", "--kind", "loss"], PROBES, "my_loss", ["my_loss", "my_loss_mean"]),
    ],
)
def test_a_plug_in_of_one_s_own_is_found_under_its_name(
    arguments: list[str], registry: object, name: str, found: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    cli("new", *arguments)
    file = Path(capsys.readouterr().out.split()[1].removesuffix(";"))
    assert load_plugin(file) == found
    assert name in registry.entries()  # type: ignore[attr-defined]
    assert f"--plugin {file}" in file.read_text().splitlines()[0]


def test_a_method_a_metric_and_a_probe_of_one_s_own_run(tiny_file: Path) -> None:
    for arguments in (["method", "mine"], ["metric", "my_rate"], ["probe", "look"]):
        cli("new", *arguments)
    plugins = [word for name in ("mine", "my_rate", "look") for word in ("--plugin", f"{name}.py")]
    few = ["--set", "mine.steps=2", "--set", "mine.batch_size=8"]
    cli("run", "-q", "--task", tiny_file, "--methods", "mine", *plugins, *few, "--store", "store", "--out", "out")
    (record,) = [record for record in read_records(Path("out")) if record.method == "mine"]
    assert record.status == "ok"
    assert 0 <= record.metrics["my_rate"].estimate.value <= 100
    assert 0 <= record.metrics["look_rate"].estimate.value <= 100
    # Half of the task's three sampling steps, rounded to two, for each of its 40 samples.
    assert record.probes["look"]["forward"] == 2 * 40


@pytest.mark.parametrize("prompted", [False, True], ids=["unconditional", "text_to_image"])
def test_an_attack_and_a_probe_of_losses_of_one_s_own_run(
    prompted: bool, tiny_file: Path, tiny_faces_file: Path
) -> None:
    cli("new", "probe", "again", "--kind", "attack")
    cli("new", "probe", "my_loss", "--kind", "loss")
    asked = ["--task", tiny_faces_file if prompted else tiny_file, "--methods", "finetune", "--samples", "12"]
    asked += ["--set", "task.probe_settings.again.samples=12", "--set", "task.probe_settings.again.looks=[1,2]"]
    asked += ["--plugin", "again.py", "--plugin", "my_loss.py", "--attacks", "again"]
    cli("run", "-q", *asked, "--store", "store", "--out", "out")
    (record,) = [record for record in read_records(Path("out")) if record.method == "finetune"]
    assert record.status == "ok"
    assert 0 <= record.metrics["again_rate"].estimate.value <= 100
    assert {"again_leak", "again_to_half"} <= record.metrics.keys()
    curve = record.matrices["again_rate"]
    assert (curve.rows, curve.columns) == (["6 images"], ["0", "1", "2"])
    assert (record.probes["again"]["forget_images"], record.probes["again"]["backward"]) == (6, 2 * 6)
    losses = record.metrics["my_loss_mean"].estimate
    assert losses.low is not None
    assert 0 < losses.low < losses.value
    assert record.probes["my_loss"]["held_out_images"] == losses.n


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["method", "vdu"], "there is a method 'vdu' already"),
        (["metric", "samples"], "there is a probe 'samples' already"),
        (["method", "My-Method"], "other characters than small letters"),
        (["method", "aux"], "Windows has a device of this name"),
        (["method", "2nd"], "begin with a letter"),
        (["method", "class"], "cannot be the name of a Python class"),
        (["metric", "measurement"], "a class Measurement is what the file imports; take another name"),
        (["probe", "metric"], "a class Metric is what the file imports"),
        (["probe", "attacked", "--kind", "attack"], "a class Attacked is what the file imports"),
        (["probe", "concept"], "its metric would be concept_rate, and there is one already"),
        (["method", "mine", "--out", "there.py"], "there.py is there already; --force"),
        (["method", "mine", "--out", "mine.txt"], "ends in .py"),
        (["method", "mine", "--out", "there.py/mine.py"], "cannot write"),
        (["task", "digits_1", "--data", "pets"], "there is a task 'digits_1' already"),
        (["task", "mine", "--data", "pets", "--out", "mine.json"], "ends in .yaml"),
        (["task", "mine", "--data", "nowhere"], "--data nowhere: there is no such folder"),
        (["task", "mine", "--data", "pets", "--from", "digits"], "did you mean 'digits_"),
        (["task", "mine", "--data", "pets", "--forget", "cats"], "show no such thing; did you mean 'cat'"),
        (["task", "mine", "--data", "pets", "--channels", "2"], "--channels 2"),
        (["task", "mine", "--data", "pets", "--size", "9"], "takes 8, not 9"),
        (["task", "mine", "--data", "pets", "--size", "100000"], "it should be less than or equal to 2048"),
        (["task", "mine", "--data", "pets", "--from", "faces_hats"], "by --attributes"),
        (
            ["task", "mine", "--data", "pets", "--names", "hat"],
            "--names: they are columns of the file that --attributes",
        ),
        (
            ["task", "mine", "--data", "pets", "--attributes", "a.csv", "--names", "hat,hat"],
            "--names names 'hat' twice",
        ),
        (["task", "mine", "--data", "people", *PEOPLE, "--channels", "1"], "--channels 1: .* in colour; leave it out"),
        (
            ["task", "mine", "--data", "people", *PEOPLE, "--names", "hats,beard"],
            "no column 'hats'; did you mean 'hat'",
        ),
        (["task", "mine", "--data", "pets", "--attributes", "metadata.csv"], "take --from faces_hats"),
        (["task", "mine", "--data", "pets", "--from", "celeba_hats", "--attributes", "a.csv"], "cannot read .*a.csv"),
    ],
)
def test_mistakes_are_named_and_nothing_is_written(
    arguments: list[str], message: str, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class_folders(elsewhere / "pets")
    portraits_with_table(elsewhere / "people")
    (elsewhere / "there.py").write_text("")
    before = sorted(elsewhere.iterdir())
    cli("new", *arguments, code=2)
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(message, line), line
    assert sorted(elsewhere.iterdir()) == before


def test_a_task_on_own_classes_says_what_was_found(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class_folders(elsewhere / "pets", size=(12, 12))
    cli("new", "task", "pets_cat", "--data", "pets", "--forget", "cat")
    said, warned = capsys.readouterr()
    assert "35 images, 12 x 12 pixels, in colour" in said
    assert "3 classes: cat 10, dog 20, eel 5" in said
    assert "28 to learn from, 7 held out: 20% of them, always the same" in said
    assert "to forget: cat" in said
    assert "3,000 steps of 128 images each, 2.25 times the pixels of digits_1's" in said
    assert "wrote pets_cat.yaml; next: vdu-bench run --task ./pets_cat.yaml --methods vdu,esd" in said
    assert "eel has 4 images to learn from" in warned
    content = yaml.safe_load((elsewhere / "pets_cat.yaml").read_text())
    assert content["data"] == {"source": "image_folder", "folder": "./pets", "channels": 3}
    task = find_task("pets_cat.yaml")
    assert (task.family, task.forget) == ("pets_cat", "cat")
    assert task.model.denoiser["sample_size"] == 12  # type: ignore[union-attr]
    assert load_data(task.data, None).train.images.shape[1:] == (3, 12, 12)


def test_images_of_any_size_are_brought_to_the_parent_s_unless_one_is_named(elsewhere: Path) -> None:
    class_folders(elsewhere / "pets", size=(30, 20), mode="L")
    cli("new", "task", "small", "--data", "pets")
    cli("new", "task", "large", "--data", "pets", "--size", "16", "--from", "./small.yaml", "--out", "tasks/large.yaml")
    small, large = find_task("small.yaml"), find_task("tasks/large.yaml")
    assert small.data.options == {"folder": str(elsewhere / "pets"), "size": 8, "channels": 1}
    assert large.data.options == {"folder": str(elsewhere / "pets"), "size": 16, "channels": 1}
    assert large.model.denoiser["in_channels"] == 1  # type: ignore[union-attr]
    assert (small.forget, large.family) == ("cat", "large")


def test_a_task_on_own_attributes_has_prompts_of_its_own(elsewhere: Path) -> None:
    portraits_with_table(elsewhere / "people", size=(24, 24))
    cli("new", "task", "people", "--from", "faces_hats", "--data", "people", "--attributes", "metadata.csv")
    task = find_task("people.yaml")
    assert task.prompts is not None
    assert set(task.prompts.captions.phrases) == {"hat", "long_hair", "beard"}, "none of the parent's"
    assert "a picture with long hair" in task.prompts.retain
    assert all(set(shown) <= {"long_hair", "beard"} for shown in task.prompts.retain.values())
    assert task.for_tuning().prompts is not None
    assert task.model.denoiser["sample_size"] == 12  # type: ignore[union-attr]
    assert task.clip is not None
    assert task.clip.name == "clip_people"
    assert load_data(task.data, None).train.images.shape[1:] == (3, 24, 24)


def test_names_choose_among_columns_and_stand_in_the_file(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = portraits_with_table(elsewhere / "people")
    rows = [f"{number},faces/{number}.png,a man,{number % 2},{number % 3 == 0:d}" for number in range(20)]
    table(folder, rows, ",file_name,text,hat,long_hair")
    cli("new", "task", "mine", *PEOPLE, "--data", "people", code=2)
    assert "column 1 has no name in the first line; " in (said := capsys.readouterr().err)
    assert "name the columns that are attributes by --names" in said
    cli("new", "task", "mine", *PEOPLE, "--data", "people", "--names", "long_hair, hat")
    task = find_task("mine.yaml")
    assert (task.forget, task.data.options["names"]) == ("long_hair", ["long_hair", "hat"])
    assert load_data(task.data, None).train.names == ("long_hair", "hat")


def test_a_file_that_is_no_use_is_not_left_behind(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = portraits_with_table(elsewhere / "people")
    text = (folder / "metadata.csv").read_text()
    (folder / "alike.csv").write_text(text.replace("long_hair", "Hat"))
    ask = ("new", "task", "mine", "--from", "faces_hats", "--data", "people", "--attributes")
    cli(*ask, "alike.csv", code=2)
    assert "both a forget and a retain prompt; the file was not written" in capsys.readouterr().err
    assert not (elsewhere / "mine.yaml").exists()
    cli(*ask, "metadata.csv")
    before = (elsewhere / "mine.yaml").read_text()
    cli(*ask, "alike.csv", "--force", code=2)
    assert "; the file was left as it was" in capsys.readouterr().err
    assert (elsewhere / "mine.yaml").read_text() == before
    assert sorted(file.name for file in elsewhere.iterdir()) == ["mine.yaml", "people"]


def test_a_class_called_001_is_not_the_class_1(elsewhere: Path) -> None:
    class_folders(elsewhere / "pets", {"001": 4, "1": 4})
    cli("new", "task", "pets", "--data", "pets")
    text = (elsewhere / "pets.yaml").read_text().replace("forget: '001'", "forget: 001")
    assert "forget: 001\n" in text
    (elsewhere / "pets.yaml").write_text(text)
    assert find_task("pets.yaml").forget == "001"


def test_a_task_on_own_images_runs(elsewhere: Path, tiny_file: Path) -> None:
    class_folders(elsewhere / "pets", {"cat": 30, "dog": 40})
    cli("new", "task", "pets", "--from", tiny_file, "--data", "pets", "--forget", "dog")
    cli("run", "-q", "--task", "./pets.yaml", "--methods", "finetune", "--store", "store", "--out", "out")
    (record,) = [record for record in read_records(Path("out")) if record.method == "finetune"]
    assert (record.task, record.forget, record.status) == ("pets", "dog", "ok")
    assert record.ledger.forget_images == 0
    assert record.ledger.retain_images > 0


def test_sources_are_listed_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    cli("list", "sources")
    listed = capsys.readouterr().out
    assert "image_folder" in listed
    assert "sklearn_digits" in listed
    cli("show", "image_folder")
    shown = capsys.readouterr().out
    assert "held_out" in shown
    assert "must be given" in shown
    assert "--set task.data.NAME=VALUE" in shown
    cli("show", "sklearn_digits", "--format", "json")
    assert "settings" in capsys.readouterr().out


def test_a_command_quotes_a_name_with_blanks(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli("new", "method", "mine", "--out", "a file.py")
    assert (elsewhere / "a file.py").read_text().splitlines()[0].endswith('--methods mine --plugin \'a file.py\'"""')
    cli("table", "no where", code=2)
    assert "`vdu-bench run --out 'no where' ...`" in capsys.readouterr().err
