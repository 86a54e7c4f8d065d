"""A whole text-to-image task, from the portraits to the tables, with everything as small as it goes."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from commands import cli
from comparing import comparable
from killing import die_in, kill_after

import vdu_bench.engine.stages.trained
import vdu_bench.models.training.resuming
from vdu_bench.data.sources.faces import NAMES
from vdu_bench.engine.cells import expand
from vdu_bench.engine.executors import LocalExecutor
from vdu_bench.engine.progress import Progress
from vdu_bench.engine.run import Outcome, run_cells
from vdu_bench.engine.store import Store
from vdu_bench.errors import UserError
from vdu_bench.methods.vdu import SCALE_BATCHES
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.models.specs import CheckpointPosterior
from vdu_bench.models.training.fitting import Fit
from vdu_bench.records import Record, read_records
from vdu_bench.tasks.loading import read_tasks, with_overrides
from vdu_bench.tasks.task import Task

METHODS = ("vdu", "esd", "finetune", "gradient_ascent")


def command(file: Path, root: Path, *more: str | Path, methods: str = ",".join(METHODS)) -> list[str | Path]:
    places = ["--store", root / "store", "--out", root / "out"]
    return ["run", "--task", file, "--methods", methods, "--device", "cpu", *places, *more]


def run(task: Task, root: Path, *methods: str, fresh: bool = False, out: str = "out") -> Outcome:
    """The same as the command, without tables and plots."""
    store, progress = Store(root / "store"), Progress(quiet=True)
    cells, _ = expand([task], methods, (0,), "full", {}, "cpu")
    return run_cells(cells, store, root / out, progress, LocalExecutor(store, progress, fresh), fresh)


def records(root: Path) -> dict[str, Record]:
    return {record.method: record for record in read_records(root / "out")}


@pytest.fixture(scope="module")
def done(tiny_faces_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``store`` and ``out`` of a finished run."""
    root = tmp_path_factory.mktemp("done")
    cli(*command(tiny_faces_file, root, "-q"))
    return root


@pytest.fixture
def copied(done: Path, tmp_path: Path) -> Path:
    """A copy of it, to go on from."""
    return Path(shutil.copytree(done, tmp_path / "copy"))


def test_every_cell_is_measured_whole(done: Path) -> None:
    found = records(done)
    assert set(found) == {"original", "retrain", "real", *METHODS}
    _check_real(found.pop("real"), found["original"])
    for record in found.values():
        assert (record.status, record.warnings) == ("ok", [])
        assert {"pul", "concept_rate", "fd_judge", "junk_rate", "retain_accuracy", "interference"} <= set(
            record.metrics
        )
        assert {"pul_given", "redraw", "pair_drift", "clip_score", "clip_change"} <= set(record.metrics)
        assert "class_shift" not in record.metrics, "it is of classes"
        for name, metric in record.metrics.items():
            assert not math.isnan(metric.estimate.value) or name == "unlearn_peak_memory", name
        matrix = record.matrices["interference"]
        assert (matrix.rows, matrix.columns) == (["hat", "eyeglasses", "long_hair", "beard", "nothing"], list(NAMES))
        # Sixteen forget images, and as many of the retain prompts.
        for name in ("forget", "forget_junk", "junk", "copies"):
            assert record.outcomes[name].n == 16
        # Half as many of the given prompts, and eight noises for each of fifty images.
        assert record.outcomes["given"].n == 8
        assert record.probes["redraw"]["held_out_images"] == 50


def _check_real(record: Record, original: Record) -> None:
    """The row of real images: they answer the retain prompts alone, as samples do."""
    assert (record.status, record.protocol, record.ledger) == ("ok", original.protocol, None)
    assert {name: found.n for name, found in record.outcomes.items()} == {"junk": 16, "copies": 16}
    numbers = {name for name, result in record.metrics.items() if not math.isnan(result.estimate.value)}
    assert numbers == {
        *("retain_accuracy", "fd_judge", "junk_rate", "kid", "precision", "recall", "copies", "clip_score")
    }
    better = record.metrics["retain_accuracy"].estimate.value
    assert better > max(60, original.metrics["retain_accuracy"].estimate.value)
    assert record.metrics["fd_judge"].estimate.value < original.metrics["fd_judge"].estimate.value


def test_the_protocol_says_what_was_asked_and_who_judged(done: Path, tiny_faces_task: Task) -> None:
    for record in records(done).values():
        protocol = record.protocol
        assert protocol is not None
        assert tiny_faces_task.prompts is not None
        assert protocol.prompts == tiny_faces_task.prompts.model_dump(mode="json")
        assert (protocol.samples, protocol.pairs, protocol.classes) == (16, 400, list(NAMES))
        assert [sum(row) for row in protocol.confusion] == [1000] * 5
        assert protocol.clip.startswith("clip_tiny")
        assert len(protocol.clip_digest) == len(protocol.judge_digest) == len(protocol.second_judge_digest) == 64
        assert protocol.second_judge == "tiny_faces_second_judge"
        assert [sum(row) for row in protocol.second_confusion] == [1000] * 5
        assert protocol.dtype == "float32"


def test_the_original_is_what_everything_is_measured_against(done: Path) -> None:
    measured = records(done)
    estimates = {name: metric.estimate.value for name, metric in measured["original"].metrics.items()}
    for name in ("pul", "pul_given", "redraw", "interference", "pair_drift", "clip_change"):
        assert estimates[name] == 0, name
    matrix = measured["original"].matrices["interference"]
    assert matrix.before == matrix.after
    for method in ("retrain", *METHODS):
        assert measured[method].metrics["pair_drift"].estimate.value > 0
        assert measured[method].matrices["interference"].before == matrix.before


def test_the_ledger_says_who_saw_what(done: Path) -> None:
    ledgers = {method: record.ledger for method, record in records(done).items() if record.ledger is not None}
    assert {method: tuple(ledger.model_dump().values()) for method, ledger in ledgers.items()} == {
        # Forget images, retained images, posterior, prompts, images replayed.
        "original": (0, 0, False, False, 0),
        "retrain": (0, 64, False, False, 0),
        # In two steps, and before them: four each in as many batches as the slope at the base is measured on.
        "vdu": ((SCALE_BATCHES + 2) * 4, 0, True, False, 0),
        "esd": (0, 0, False, True, 0),
        "finetune": (0, 8, False, False, 0),
        "gradient_ascent": (8, 0, False, False, 0),
    }


def test_the_retrained_model_shares_the_base_s_autoencoder(done: Path) -> None:
    (base,) = done.glob("store/base/*/model")
    (retrained,) = done.glob("store/retrain/*/model")
    weights = "diffusion_pytorch_model.safetensors"
    assert (base / "vae" / weights).read_bytes() == (retrained / "vae" / weights).read_bytes()
    for part in ("unet/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors"):
        assert (base / part).read_bytes() != (retrained / part).read_bytes()
    assert (base / "tokenizer/tokenizer.json").read_bytes() == (retrained / "tokenizer/tokenizer.json").read_bytes()


def test_the_same_again_is_reused(done: Path, tiny_faces_task: Task) -> None:
    texts = {file: file.read_text() for file in (done / "out" / "records").rglob("*.json")}
    outcome = run(tiny_faces_task, done, *METHODS)
    assert len(outcome.reused) == 7
    assert {file: file.read_text() for file in (done / "out" / "records").rglob("*.json")} == texts


def test_made_afresh_it_is_the_same_to_the_bit_and_draws_from_no_global_generator(
    copied: Path, tiny_faces_task: Task
) -> None:
    before = {method: comparable(record) for method, record in records(copied).items()}
    torch.manual_seed(123)
    state = torch.get_rng_state()
    outcome = run(tiny_faces_task, copied, *METHODS, fresh=True)
    assert torch.equal(torch.get_rng_state(), state)
    assert outcome.reused == []
    assert {record.method: comparable(record) for record in outcome.records} == before


KILLS: dict[str, Callable[[], None]] = {
    # The judge has 60 steps, and the autoencoder comes next.
    "autoencoder, in the middle": lambda: kill_after(Fit, "advance", 60 + 5),
    "base, at its end": lambda: kill_after(vdu_bench.engine.stages.trained, "train"),
}


@pytest.mark.parametrize("stage", KILLS)
def test_killed_in_training_the_same_command_ends_with_the_same_records(
    done: Path, tiny_faces_task: Task, tmp_path: Path, stage: str
) -> None:
    die_in(KILLS[stage], lambda: run(tiny_faces_task, tmp_path, "vdu"))
    outcome = run(tiny_faces_task, tmp_path, "vdu")
    before = records(done)
    for record in outcome.records:
        assert comparable(record) == comparable(before[record.method])
    assert not list((tmp_path / "store" / "running").glob("*"))


def models(root: Path) -> tuple[Path, Path]:
    """Two pipelines of one network: what somebody else might have trained."""
    (base,) = root.glob("store/base/*/model")
    (other,) = root.glob("store/retrain/*/model")
    return base, other


def test_a_base_from_elsewhere(
    done: Path, copied: Path, tiny_faces_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base, other = models(done)
    theirs = Path(shutil.copytree(base, tmp_path / "theirs"))
    laplace = {"source": "laplace", "samples": 4}
    settings = ["--set", f"task.base={theirs}", "--set", f"task.posterior={json.dumps(laplace)}"]
    shutil.rmtree(copied / "out")
    cli(*command(tiny_faces_file, copied, *settings, methods="vdu"))
    said = capsys.readouterr().err
    assert "tiny_hats: retrain is left out: the base is from elsewhere" in said
    assert f"base model {theirs}: made" in said
    found, own = records(copied), records(done)
    assert set(found) == {"original", "real", "vdu"}
    assert all(record.status == "ok" for record in found.values())
    # It is the family's own base in another place, so the same noise gives the same images.
    assert found["original"].outcomes == own["original"].outcomes
    assert found["original"].metrics["fd_judge"] == own["original"].metrics["fd_judge"]

    def drift(record: Record) -> float:
        return record.metrics["pair_drift"].estimate.value

    assert found["vdu"].ledger.posterior
    drifts = {"snapshots": drift(own["vdu"]), "laplace": drift(found["vdu"])}
    task = with_overrides(read_tasks(tiny_faces_file)[0], {"base": str(theirs), "posterior": laplace})
    assert len(run(task, copied, "vdu").reused) == 3
    checkpoints = CheckpointPosterior(source="checkpoints", checkpoints=(str(theirs), str(other)))
    # Rounded to half precision, one weight in two hundred is the same in both, and has no deviation.
    outcome = run(task.model_copy(update={"posterior": checkpoints}), copied, "vdu", out="by checkpoints")
    assert outcome.failed == []
    assert outcome.records[0].outcomes == own["original"].outcomes
    drifts["checkpoints"] = drift(outcome.records[-1])
    assert len(set(drifts.values())) == 3
    assert min(drifts.values()) > 0

    # Something else in the same place is another base, and its records stand in another folder.
    shutil.rmtree(theirs)
    shutil.copytree(other, theirs)
    with pytest.raises(UserError, match="was measured with another base than tiny_hats has now"):
        run(task, copied, "vdu")
    outcome = run(task, copied, "vdu", out="of the other")
    assert outcome.reused == []
    assert outcome.records[0].outcomes == own["retrain"].outcomes


def _ddpm(tiny_model: UnconditionalDDPM, folder: Path) -> Path:
    tiny_model.save(folder)
    return folder


MISTAKES: dict[str, tuple[str, list[str], str]] = {
    "retrain without a recipe": (
        "retrain",
        ["task.base=BASE"],
        "retrain cannot run on tiny_hats: the base is from elsewhere, and there is no recipe",
    ),
    "another kind of model": ("vdu", ["task.base=DDPM"], "is a DDPMPipeline, and a"),
    "no such folder": ("vdu", ["task.base=./nowhere"], "nowhere is neither a folder nor the id of a model"),
    "snapshots of another's training": (
        "vdu",
        ["task.base=BASE", "task.posterior={source: snapshots}"],
        "a base from elsewhere has no snapshots",
    ),
    "a feature that the data do not have": (
        "vdu",
        ["task.prompts.retain={a portrait: [eyeglases]}"],
        "'a portrait' asks for 'eyeglases', which the data do not have; did you mean 'eyeglasses'?",
    ),
    "words for a feature that the data do not have": (
        "vdu",
        ["task.prompts.captions.phrases={hat: [a hat], nose: [a nose]}"],
        "there are phrases for 'nose'",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_and_exit_2(
    done: Path,
    tiny_faces_file: Path,
    tiny_model: UnconditionalDDPM,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    mistake: str,
) -> None:
    methods, settings, words = MISTAKES[mistake]
    places = {"BASE": models(done)[0], "DDPM": _ddpm(tiny_model, tmp_path / "ddpm")}
    for name, place in places.items():
        settings = [setting.replace(name, str(place)) for setting in settings]
    out = tmp_path / "out"
    cli(
        "run", "-q", "--task", tiny_faces_file, "--methods", methods, "--device", "cpu",
        "--store", done / "store", "--out", out, *(word for setting in settings for word in ("--set", setting)), code=2,
    )  # fmt: skip
    said = capsys.readouterr()
    assert words in said.err
    assert said.err.count("\n") == 1
    assert not out.exists()


def test_a_divergence_is_a_record_without_a_number(copied: Path, tiny_faces_task: Task) -> None:
    wild = tiny_faces_task.model_copy(update={"method_settings": {"finetune": {"steps": 3, "learning_rate": 1e30}}})
    # Somewhere else: these settings are other ones, and their records replace none.
    shutil.rmtree(copied / "out")
    outcome = run(wild, copied, "finetune")
    assert outcome.failed == []
    assert [record.status for record in outcome.records] == ["ok", "ok", "ok", "diverged"]
    assert outcome.records[-1].metrics == {}


def test_prepare_names_all_that_is_shared(
    done: Path, tiny_faces_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cli("prepare", "-q", "--task", tiny_faces_file, "--store", done / "store", "--device", "cpu")
    assert {line.split()[0] for line in capsys.readouterr().out.splitlines()} == {
        "tiny_faces/judge", "tiny_faces/second_judge", "tiny_faces/base", "tiny_faces/posterior",
        "tiny_faces/retrain_hat", "tiny_faces/clip",
    }  # fmt: skip


def test_tables_and_manifests_are_there(done: Path) -> None:
    text = (done / "out" / "leaderboard.md").read_text()
    for words in ("retain accuracy", "interference", "redraw", "pair drift"):
        assert words in text.lower().replace("_", " ")
    facts = json.loads(next(done.glob("store/base/*/manifest.json")).read_text())
    assert facts["spec"]["captions"]["subjects"][0] == "a portrait of a person"
