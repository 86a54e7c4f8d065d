"""Running, judging and taking out again from Python, on the tiny task."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import cli
from diffusers import DDPMPipeline
from PIL import Image

import vdu_bench
from vdu_bench.data.sources.digits import load_digits
from vdu_bench.errors import UserError
from vdu_bench.methods.catalog import METHODS
from vdu_bench.methods.method import Method
from vdu_bench.methods.vdu import VDU
from vdu_bench.records import read_records
from vdu_bench.tasks.loading import with_overrides
from vdu_bench.tasks.task import Task


class Halved(Method):
    """All weights halved."""

    supports = ("unconditional",)
    needs = ()

    def unlearn(self, model, context):  # noqa: ARG002
        twin = model.clone()
        for parameter in twin.denoiser.parameters():
            parameter.data /= 2
        return twin


@pytest.fixture(scope="module")
def registry() -> Iterator[None]:
    """No other test is to find this one's method."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(METHODS, "_entries", METHODS.entries())
        yield


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("running")


@pytest.fixture(scope="module")
def results(registry: None, root: Path, tiny_file: Path) -> vdu_bench.Results:  # noqa: ARG001
    methods = [VDU(learning_rate=0.5), Halved]
    return vdu_bench.run(tiny_file, methods, 0, out=root / "out", store=root / "store", device="cpu", quiet=True)


def test_a_run_gives_its_records_and_writes_them(results: vdu_bench.Results, root: Path, tiny_file: Path) -> None:
    rows = {record.row: record for record in results}
    assert set(rows) == {"original", "retrain", "real", "vdu[learning_rate=0.5]", "halved"}
    assert rows["vdu[learning_rate=0.5]"].settings["steps"] == 2  # the task's own
    assert results.failed == []
    assert [record.to_json() for record in read_records(root / "out")] == [record.to_json() for record in results]
    again = vdu_bench.run(tiny_file, ["halved"], store=root / "store", device="cpu", quiet=True)
    assert {record.row for record in again} == {"original", "retrain", "real", "halved"}
    # Reused from the store: the times are those of the first run.
    assert again.only(method="halved")[0].to_json() == rows["halved"].to_json()


def test_out_of_the_store_unlearned_once_more_and_judged(
    results: vdu_bench.Results, root: Path, tiny_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del results
    record = root / "out" / "records" / "tiny" / "original" / "seed0.json"
    cli("export", record, root / "base", "--images", 3, "--as", "pipeline", "--store", root / "store")
    assert capsys.readouterr().out.splitlines() == [
        f"{root / 'base'}: a diffusers pipeline",
        f"{root / 'base' / 'images'}: 3 images",
    ]
    pictures = sorted((root / "base" / "images").glob("sample-000?-*.png"))
    assert len(pictures) == 3
    with Image.open(pictures[0]) as picture:
        assert picture.size == (8, 8)
    pipeline = DDPMPipeline.from_pretrained(root / "base")
    digits = load_digits().train
    fives = digits.images[digits.shows("5")]
    mine = vdu_bench.unlearn(pipeline, "gradient_ascent", fives, steps=2, batch_size=4, quiet=True)
    judged = vdu_bench.evaluate(
        tiny_file, mine, "mine", out=root / "out", store=root / "store", device="cpu", quiet=True
    )
    rows = {record.row: record for record in judged}
    assert rows["mine"].role == "external"
    assert rows["mine"].settings["checkpoint"] == "mine"
    assert rows["mine"].status == "ok"
    assert set(rows) == {"original", "retrain", "real", "vdu[learning_rate=0.5]", "halved", "mine"}


def test_models_are_put_under_attack(results: vdu_bench.Results, root: Path, tiny_task: Task) -> None:
    del results  # what it made is reused
    few = with_overrides(tiny_task, {"probe_settings": {"resample": {"samples": 8}}})
    places: dict[str, Any] = {"out": root / "attacked", "store": root / "store", "device": "cpu", "quiet": True}
    plain = {record.row: record for record in vdu_bench.run(few, "gradient_ascent", **places)}
    attacked = {record.row: record for record in vdu_bench.run(few, "gradient_ascent", attacks="resample", **places)}
    assert "resample_rate" not in plain["gradient_ascent"].metrics
    assert 0 <= attacked["gradient_ascent"].metrics["resample_rate"].estimate.value <= 100
    # What the folder's records have already is kept where nothing else is said, for a model from elsewhere too.
    vdu_bench.Results([attacked["gradient_ascent"]], root / "store").export(root / "model")
    judged = {record.row: record for record in vdu_bench.evaluate(few, root / "model", "mine", **places)}
    assert judged["mine"].metrics["resample_rate"].estimate.value == pytest.approx(
        attacked["gradient_ascent"].metrics["resample_rate"].estimate.value
    )
    swept = vdu_bench.sweep(few, "gradient_ascent", "steps", [1], **places)
    assert {"gradient_ascent[steps=1]", "original"} <= {record.row for record in swept}
    assert all("resample_rate" in record.metrics for record in swept), "no record of the folder loses its attack"
    without = vdu_bench.evaluate(few, root / "model", "mine", attacks="none", **{**places, "out": None})
    assert "resample_rate" not in without.only(method="mine")[0].metrics


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"task": "digits_11"}, "unknown task 'digits_11'"),
        ({"methods": ["vdo"]}, "unknown method 'vdo'; did you mean"),
        ({"seeds": [-1]}, r"seeds \[-1\]: give whole numbers"),
        ({"seeds": [1, 1]}, "each once"),
        ({"seeds": []}, "give whole numbers"),
        ({"regime": "everything"}, "there is no regime 'everything'"),
        ({"settings": {"task": {"sample": 3}}}, "unknown key task.sample"),
        ({"settings": {"vdu": {"gama": 3}}}, "vdu has no setting 'gama'"),
        ({"methods": VDU(gamma=0.3), "settings": {"vdu": {"gamma": 1}}}, "vdu has settings in settings="),
        ({"settings": {"vdu": {3: 3}}}, "settings: 3 is no name of a setting"),
        ({"methods": ["vdu", "vdu"]}, "methods name vdu twice"),
        ({"methods": [VDU(gamma=0.3), VDU(gamma=0.3)]}, "methods name vdu twice with {'gamma': 0.3}"),
        ({"regime": ["full", "full"]}, "regime names one twice: full, full"),
        ({"plugins": ["nowhere.py"]}, "no plug-in file nowhere.py"),
        ({"attacks": "relern"}, "unknown attack 'relern'; did you mean 'relearn'"),
        ({"attacks": "inversion"}, "inversion"),
        ({"attacks": ["none", "relearn"]}, "attacks none, relearn: none stands alone"),
        ({"attacks": []}, "attacks: name one or several; 'none' is without any"),
    ],
)
def test_mistakes_are_said_in_one_line(given: dict[str, Any], words: str, tmp_path: Path, tiny_task: Task) -> None:
    with pytest.raises(UserError, match=words) as error:
        vdu_bench.run(**{"task": tiny_task, "methods": "vdu", "store": tmp_path, "quiet": True, **given})
    assert "\n" not in str(error.value)


@pytest.mark.usefixtures("registry")
def test_a_class_that_other_processes_do_not_have(tiny_task: Task, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"other processes do not know halved; give plugins=\['.*test_running.py'\]"):
        vdu_bench.run(tiny_task, Halved, jobs=2, store=tmp_path, quiet=True)

    class Local(Halved):
        """In no place that could be read again."""

    with pytest.raises(UserError, match="Local is in no file that could be read again"):
        vdu_bench.run(tiny_task, Local, store=tmp_path, quiet=True)


def test_a_pipeline_without_a_name(tiny_task: Task, tiny_model: Any, tmp_path: Path) -> None:
    pipeline = DDPMPipeline(tiny_model.denoiser, tiny_model.noise_scheduler)
    with pytest.raises(UserError, match="a pipeline in memory has no name of its own"):
        vdu_bench.evaluate(tiny_task, pipeline, store=tmp_path)
    with pytest.raises(UserError, match="give a folder, a file, a hub id or a pipeline, and no int"):
        vdu_bench.evaluate(tiny_task, 3, store=tmp_path)


def test_a_name_that_cannot_be_used_is_refused_before_anything_is_saved(tiny_task: Task, tmp_path: Path) -> None:
    class Heavy:
        def save_pretrained(self, folder: Path, **_: object) -> None:
            raise AssertionError(f"saved as {folder}")

    for name in ("../../elsewhere", "vdu"):
        with pytest.raises(UserError, match="--name|name of a method"):
            vdu_bench.evaluate(tiny_task, Heavy(), name=name, store=tmp_path, quiet=True)


def test_a_name_beside_settings_is_a_variant_without_any(tiny_task: Task, asked: list[str]) -> None:
    with pytest.raises(UserError, match="that was all"):
        vdu_bench.run(tiny_task, ["vdu", VDU(gamma=0.3)], quiet=True)
    assert [name for name in asked if "/vdu" in name] == ["tiny/vdu/seed0", "tiny/vdu+gamma=0.3/seed0"]


def test_a_sweep_in_a_regime_that_is_none(tiny_task: Task) -> None:
    with pytest.raises(UserError, match="there is no regime 'nope'"):
        vdu_bench.sweep(tiny_task, "vdu", regime="nope", quiet=True)
