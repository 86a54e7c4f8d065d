"""Models from elsewhere as cells: the same numbers as a method's own, records beside those of a run, refusals."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from elsewhere import publish
from safetensors.torch import load_file, save_file

import vdu_bench.engine.stages.judge
from vdu_bench.engine.cells import Cell, expand, request
from vdu_bench.engine.evaluate import evaluate_cells, evaluation_cells
from vdu_bench.engine.executors import LocalExecutor
from vdu_bench.engine.progress import Progress
from vdu_bench.engine.run import Outcome, run_cells
from vdu_bench.engine.store import Store
from vdu_bench.errors import UserError
from vdu_bench.models.pipelines.loading import load_model
from vdu_bench.records import Record, read_records
from vdu_bench.reports.comparable import check_comparable
from vdu_bench.reports.gate.blessing import apply_blessing, plan_blessing
from vdu_bench.reports.gate.verdicts import compare
from vdu_bench.tasks.loading import find_task, with_overrides
from vdu_bench.tasks.task import Task

UNKNOWN = ("unlearn_seconds", "nfe_forward", "nfe_backward", "unlearn_peak_memory", "training_images")
WEIGHTS = "unet/diffusion_pytorch_model.safetensors"


def run(task: Task, root: Path, *methods: str, seeds: tuple[int, ...] = (0,), regime: Any = "full") -> None:
    store, progress = Store(root / "store"), Progress(quiet=True)
    cells = expand([task], methods, seeds, regime, {}, "cpu")[0]
    outcome = run_cells(cells, store, root / "out", progress, LocalExecutor(store, progress))
    assert outcome.failed == []


def evaluate(
    task: Task, root: Path, checkpoint: Path, *, seeds: tuple[int, ...] = (0,), say: Any = None, **options: Any
) -> Outcome:
    progress = Progress(quiet=True)
    if say is not None:
        progress.say = say  # type: ignore[method-assign]
    cells = evaluation_cells(task, str(checkpoint), seeds, "cpu", root / "out", **options)
    return evaluate_cells(cells, Store(root / "store"), root / "out", progress, check_comparable)


def in_out(root: Path) -> dict[str, Record]:
    return {record.cell_name: record for record in read_records(root / "out")}


@pytest.fixture(scope="module")
def finished(tiny_task: Task, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``store`` and ``out`` of a run of vdu."""
    root = tmp_path_factory.mktemp("finished")
    run(tiny_task, root, "vdu")
    return root


@pytest.fixture
def root(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished run, to be added to."""
    return Path(shutil.copytree(finished, tmp_path / "root"))


@pytest.fixture(scope="module")
def published(finished: Path, tiny_task: Task, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What vdu made in that run, as a folder that somebody else would publish."""
    return publish(finished / "store", tiny_task, tmp_path_factory.mktemp("published") / "VDU of 5s")


def test_a_method_s_own_model_gets_the_method_s_own_numbers(root: Path, published: Path, tiny_task: Task) -> None:
    texts = {file: file.read_text() for file in (root / "out").rglob("*.json")}
    outcome = evaluate(tiny_task, root, published, seconds=12.5)
    (record,) = outcome.records
    own = in_out(root)["tiny/vdu/seed0"]
    assert in_out(root)["tiny/vdu-of-5s/seed0"].to_json() == record.to_json()
    assert (record.status, record.role, record.regime) == ("ok", "external", "unknown")
    assert record.outcomes == own.outcomes
    assert record.protocol == own.protocol
    for name in set(own.metrics) - {*UNKNOWN, "sampling_throughput"}:
        assert record.metrics[name] == own.metrics[name]
    assert record.settings["checkpoint"] == "VDU of 5s"
    assert len(record.settings["sha256"]) == 64
    assert record.seeds.model_dump() == {"train": 0, "unlearn": None, "sample": 0}
    assert record.ledger is None
    assert record.timings.unlearn_seconds == 12.5
    assert (record.timings.nfe_forward, record.timings.nfe_backward) == (None, None)
    assert record.metrics["unlearn_seconds"].estimate.value == 12.5
    for name in UNKNOWN[1:]:
        estimate = record.metrics[name].estimate
        assert math.isnan(estimate.value)
        assert estimate.reason == "not known: the model was unlearned elsewhere"
    # The model is the same to the bit, so its samples are not drawn again.
    assert record.stages["samples"] == own.stages["samples"]
    assert record.stages["unlearned"] != own.stages["unlearned"]
    assert {file: file.read_text() for file in texts} == texts
    check_comparable(in_out(root).values())


def test_weights_alone_are_put_onto_the_base(root: Path, published: Path, tiny_task: Task, tmp_path: Path) -> None:
    said: list[str] = []
    whole = evaluate(tiny_task, root, published).records[0]
    file = tmp_path / "weights.safetensors"
    shutil.copy(published / WEIGHTS, file)
    alone = evaluate(tiny_task, root, file, say=said.append).records[0]
    assert alone.method == "weights"
    assert alone.outcomes == whole.outcomes
    assert alone.stages["samples"] == whole.stages["samples"]
    n = len(load_file(file))
    assert alone.warnings == [f"weights: {n} of the {n} tensors of the base's U-Net are replaced (all)"]
    assert f"tiny/{alone.warnings[0]}" in said
    assert whole.warnings == []
    unet = evaluate(tiny_task, root, published / "unet", name="unet").records[0]
    assert unet.outcomes == whole.outcomes


def test_a_checkpoint_that_changes_nothing_is_said_to_in_its_record(
    root: Path, tiny_task: Task, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (base,) = (root / "store" / "base").glob("*/model")
    file = Path(shutil.copy(base / WEIGHTS, tmp_path / "nothing.safetensors"))
    (record,) = evaluate(tiny_task, root, file).records
    told = "it changes nothing: all of its weights are the base's"
    assert record.warnings[0].endswith(f"are replaced (all); {told}")
    assert f"warning: nothing: {told}" in capsys.readouterr().err
    assert record.metrics["pul"].estimate.value == 0
    shutil.copytree(base / "unet", tmp_path / "mine" / "unet")
    shutil.copytree(base / "unet", tmp_path / "mine" / "unet_ema")
    (record,) = evaluate(tiny_task, root, tmp_path / "mine").records
    assert record.warnings == [
        f"mine: {told}; its unet was read, and not unet_ema beside it: name unet_ema to have that one"
    ]


def test_it_needs_no_run_before_and_trains_no_more_than_it_needs(
    published: Path, tiny_task: Task, tmp_path: Path
) -> None:
    outcome = evaluate(tiny_task, tmp_path, published, seeds=(3, 4))
    assert {record.cell_name for record in outcome.records} == set(in_out(tmp_path))
    assert set(in_out(tmp_path)) == {f"tiny/{name}/seed{n}" for name in ("original", "vdu-of-5s") for n in (3, 4)}
    assert not (tmp_path / "store" / "retrain").exists()
    records = in_out(tmp_path)
    assert records["tiny/vdu-of-5s/seed3"].outcomes != records["tiny/vdu-of-5s/seed4"].outcomes
    assert records["tiny/vdu-of-5s/seed3"].settings == records["tiny/vdu-of-5s/seed4"].settings
    assert len(list((tmp_path / "store" / "external").iterdir())) == 1
    # What a run adds afterwards has the original there already, from the store.
    run(tiny_task, tmp_path, "vdu", seeds=(3, 4))
    check_comparable(in_out(tmp_path).values())


def test_the_original_is_made_for_seeds_that_lack_it(published: Path, tiny_task: Task, tmp_path: Path) -> None:
    run(tiny_task, tmp_path, "vdu", regime="forget_only")
    made = evaluate(tiny_task, tmp_path, published, seeds=(0, 1)).records
    assert [record.cell_name for record in made] == [
        "tiny/original/seed1", "tiny/vdu-of-5s/seed0", "tiny/vdu-of-5s/seed1",
    ]  # fmt: skip
    assert in_out(tmp_path)["tiny/original/seed1"].regime == "full"
    check_comparable(in_out(tmp_path).values())


def test_the_same_again_is_reused_and_other_weights_are_not(
    root: Path, published: Path, tiny_task: Task, tmp_path: Path
) -> None:
    place = Path(shutil.copytree(published, tmp_path / "moved" / "mine"))
    first = evaluate(tiny_task, root, place)
    assert first.reused == []
    elsewhere = Path(shutil.copytree(published, tmp_path / "again" / "mine"))
    again = evaluate(tiny_task, root, elsewhere)
    assert again.reused == ["tiny/mine/seed0"]
    assert again.records[0].to_json() == first.records[0].to_json()
    assert evaluate(tiny_task, root, place, seconds=5).reused == []
    # A file that decides nothing decides nothing.
    (place / "README.md").write_text("")
    assert evaluate(tiny_task, root, place).reused == ["tiny/mine/seed0"]
    state = load_file(place / WEIGHTS)
    save_file({name: 1.5 * value for name, value in state.items()}, place / WEIGHTS, metadata={"format": "pt"})
    # Neither takes the other's record, whether its name was given or made of the folder's.
    for named in (None, "mine"):
        with pytest.raises(UserError, match="has tiny/mine/seed0, of another checkpoint .* another name by --name"):
            evaluate(tiny_task, root, place, name=named)
    assert in_out(root)["tiny/mine/seed0"].settings == first.records[0].settings
    changed = evaluate(tiny_task, root, place, name="other")
    assert changed.reused == []
    assert changed.records[0].settings["sha256"] != first.records[0].settings["sha256"]
    assert changed.records[0].stages["samples"] != first.records[0].stages["samples"]


def test_more_seeds_of_a_copy_by_another_name_stand_in_its_row(
    root: Path, published: Path, tiny_task: Task, tmp_path: Path
) -> None:
    file = Path(shutil.copy(published / WEIGHTS, tmp_path / "m1.safetensors"))
    evaluate(tiny_task, root, file, name="mine")
    copy = Path(shutil.copy(file, tmp_path / "m2.safetensors"))
    evaluate(tiny_task, root, copy, name="mine", seeds=(1,))
    there = in_out(root)
    assert there["tiny/mine/seed1"].settings == there["tiny/mine/seed0"].settings
    assert there["tiny/mine/seed1"].settings["checkpoint"] == "m1.safetensors"


def test_a_checkpoint_that_is_written_to_meanwhile_is_not_judged(
    root: Path, published: Path, tiny_task: Task, tmp_path: Path
) -> None:
    file = Path(shutil.copy(published / WEIGHTS, tmp_path / "live.safetensors"))
    content = file.read_bytes()
    cells = evaluation_cells(tiny_task, str(file), (0,), "cpu", root / "out", name="live")
    save_file({name: 1.5 * value for name, value in load_file(file).items()}, file, metadata={"format": "pt"})
    store, progress = Store(root / "store"), Progress(quiet=True)
    with pytest.raises(UserError, match="changed while it was being evaluated"):
        evaluate_cells(cells, store, root / "out", progress, check_comparable)
    # Nothing of it is kept: what it was before is judged by its own weights.
    file.write_bytes(content)
    (record,) = evaluate(tiny_task, root, file, name="live").records
    (other,) = evaluate(tiny_task, root, published, name="whole").records
    assert record.metrics["pul"].estimate.value == other.metrics["pul"].estimate.value


def test_a_checkpoint_with_weights_that_are_no_numbers_says_so(
    root: Path, published: Path, tiny_task: Task, tmp_path: Path
) -> None:
    state = load_file(published / WEIGHTS)
    name = "conv_out.weight"
    save_file({**state, name: torch.full_like(state[name], torch.nan)}, tmp_path / "broken.safetensors")
    (record,) = evaluate(tiny_task, root, tmp_path / "broken.safetensors").records
    assert record.status == "diverged"
    assert f"tensors hold NaN or infinity, such as {name}" in record.warnings[0]


def test_the_request_holds_the_content_and_what_is_stated(published: Path, tiny_task: Task, tmp_path: Path) -> None:
    def requests(**options: Any) -> list[dict[str, Any]]:
        cells = evaluation_cells(tiny_task, str(published), (0, 1), "cpu", tmp_path / "out", **options)
        return [request(cell, Store(tmp_path)) for cell in cells if cell.external is not None]

    base = requests()
    assert base == requests()
    assert base[0] != base[1]
    assert not [one for one in requests(name="other") + requests(seconds=1.0) if one in base]
    store = Store(tmp_path)
    cell = evaluation_cells(tiny_task, str(published), (0,), "cpu", tmp_path / "out")[-1]
    before = request(cell, store)
    store.build("retrain", {"family": "tiny", "without": "5"}, lambda _: {})
    assert request(cell, store) == before, "the retrained model has no part in it"
    store.build("judge", {"family": "tiny"}, lambda _: {})
    assert request(cell, store) != before


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("ESD (hats) v1.0", "esd-hats-v1-0"),
        ("runs/no_ones/unet", "no_ones"),
        ("__own__", "own"),
        ("runs/--/model", "runs"),
    ],
)
def test_the_name_is_made_of_the_checkpoint_s(
    published: Path, tiny_task: Task, tmp_path: Path, place: str, name: str
) -> None:
    folder = Path(shutil.copytree(published, tmp_path / place))
    assert evaluation_cells(tiny_task, str(folder), (0,), "cpu", tmp_path / "out")[-1].method == name
    file = Path(shutil.copy(published / WEIGHTS, tmp_path / "No.Fives.safetensors"))
    assert evaluation_cells(tiny_task, str(file), (0,), "cpu", tmp_path / "out")[-1].method == "no-fives"


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"name": "Mine"}, "use small letters"),
        ({"name": "-x"}, "use small letters"),
        ({"name": ""}, "use small letters"),
        ({"name": "vdu"}, "'vdu' is the name of a method of the suite"),
        ({"name": "original"}, "'original' is the name of a method of the suite"),
        ({"seconds": -1.0}, "is not a number of seconds"),
        ({"seconds": math.nan}, "is not a number of seconds"),
    ],
)
def test_names_and_seconds_that_cannot_be_used(
    published: Path, tiny_task: Task, tmp_path: Path, options: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(UserError, match=complaint):
        evaluation_cells(tiny_task, str(published), (0,), "cpu", tmp_path / "out", **options)


def test_a_folder_called_like_a_method_wants_a_name(published: Path, tiny_task: Task, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(published, tmp_path / "esd"))
    with pytest.raises(UserError, match="'esd' is the name of a method of the suite; give the checkpoint another one"):
        evaluation_cells(tiny_task, str(folder), (0,), "cpu", tmp_path / "out")


def _edit(root: Path, cell: str, change: Callable[[dict[str, Any]], Any]) -> None:
    file = root / "out" / "records" / f"{cell}.json"
    record = json.loads(file.read_text())
    change(record)
    file.write_text(json.dumps(record))


def test_what_would_not_share_a_table_is_refused_before_anything_is_computed(
    root: Path, published: Path, tiny_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    def computed(*_: object, **__: object) -> None:
        raise AssertionError("something was computed")

    evaluate(tiny_task, root, published, name="mine", seeds=(0,))
    texts = {file: file.read_text() for file in (root / "out").rglob("*.json")}
    monkeypatch.setattr("vdu_bench.engine.evaluate.run_cells", computed)
    fewer = tiny_task.model_copy(update={"samples": 20})
    with pytest.raises(UserError, match=r"was measured with samples 40, and this would be with 20: .* another --out"):
        evaluate(fewer, root, published)
    other = Path(shutil.copytree(published, root / "other"))
    state = load_file(other / WEIGHTS)
    save_file({name: 1.5 * value for name, value in state.items()}, other / WEIGHTS, metadata={"format": "pt"})
    with pytest.raises(UserError, match="tiny/mine/seed0, of another checkpoint"):
        evaluate(tiny_task, root, other, name="mine", seeds=(1,))
    _edit(root, "tiny/vdu/seed0", lambda record: record.update(method="plugged_in"))
    with pytest.raises(UserError, match="has records of a method 'plugged_in'"):
        evaluate(tiny_task, root, published, name="plugged_in")
    _edit(root, "tiny/vdu/seed0", lambda record: record.update(method="vdu"))
    _edit(root, "tiny/vdu/seed0", lambda record: record["protocol"].update(judge_digest="0" * 64))
    with pytest.raises(UserError, match="judge_digest of the records differ"):
        evaluate(tiny_task, root, published)
    changed = json.loads((root / "out/records/tiny/vdu/seed0.json").read_text())
    assert changed["protocol"]["judge_digest"] == "0" * 64
    assert set(texts) == set((root / "out").rglob("*.json"))


def test_a_record_that_turns_out_not_to_compare_is_not_written(root: Path, published: Path, tiny_task: Task) -> None:
    for method in ("original", "retrain", "real", "vdu"):
        _edit(root, f"tiny/{method}/seed0", lambda record: record["protocol"].update(judge_digest="0" * 64))
    with pytest.raises(UserError, match="judge_digest of the records differ"):
        evaluate(tiny_task, root, published)
    assert not (root / "out/records/tiny/vdu-of-5s").exists()


def test_a_checkpoint_that_does_not_fit_is_refused_before_a_judge_is_trained(
    published: Path, tiny_task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trained(*_: object) -> None:
        raise AssertionError("the judge was trained for nothing")

    monkeypatch.setattr(vdu_bench.engine.stages.judge, "train_judge", trained)
    state = load_file(published / WEIGHTS)
    file = tmp_path / "other.safetensors"
    save_file({**state, "left.over": torch.ones(1)}, file)
    with pytest.raises(UserError, match=r"1 of its \d+ names are none of the base's U-Net, such as left.over"):
        evaluate(tiny_task, tmp_path, file)
    assert not (tmp_path / "out" / "records").exists()
    assert not list((tmp_path / "store").glob("external/*[!l]/manifest.json"))


def test_weights_that_are_not_finite_are_a_divergence(root: Path, published: Path, tiny_task: Task) -> None:
    state = load_file(published / WEIGHTS)
    save_file({name: value * math.nan for name, value in state.items()}, root / "broken.safetensors")
    (record,) = evaluate(tiny_task, root, root / "broken.safetensors").records
    assert (record.status, record.metrics, record.ledger) == ("diverged", {}, None)
    assert "not finite" in record.reason
    check_comparable(in_out(root).values())


def test_the_gate_and_the_blessing_take_external_records(root: Path, published: Path, tiny_task: Task) -> None:
    reference = list(in_out(root).values())
    evaluate(tiny_task, root, published, name="mine")
    new = list(in_out(root).values())
    found = compare(reference, new)
    assert found.passed
    assert ("tiny/mine", "extra") in {(notice.where, notice.kind) for notice in found.notices}
    assert compare(new, new).passed
    blessing = plan_blessing(root / "reference", root / "out")
    apply_blessing(blessing)
    assert (root / "reference/records/tiny/mine/seed0.json").exists()
    assert plan_blessing(root / "reference", root / "out").writes == {}
    # Another checkpoint under the same name compares, and the change is said.
    state = load_file(published / WEIGHTS)
    save_file({name: 1.01 * value for name, value in state.items()}, root / "mine.safetensors")
    (root / "out/records/tiny/mine/seed0.json").unlink()
    evaluate(tiny_task, root, root / "mine.safetensors")
    notices = compare(new, list(in_out(root).values())).notices
    assert any(notice.where == "tiny/mine" and "sha256" in notice.text for notice in notices)


def test_a_u_net_of_the_portraits_is_judged_with_prompts(tmp_path: Path) -> None:
    from vdu_bench.engine.shipped import ASSETS, shipped_artifacts

    task = with_overrides(find_task("faces_hats"), {"samples": 8, "sampler": {"steps": 2, "batch_size": 8}})
    retrained = load_model(ASSETS / "faces" / "retrain_hat" / "model", "text_to_image")
    state = {name: value.contiguous() for name, value in retrained.denoiser.state_dict().items() if "attn2" in name}
    save_file(state, tmp_path / "esd-hat.safetensors")
    cells = evaluation_cells(task, str(tmp_path / "esd-hat.safetensors"), (0,), "cpu", tmp_path / "out")
    assert [cell.method for cell in cells] == ["original", "esd-hat"]
    store = Store(tmp_path / "store", shipped_artifacts())
    outcome = evaluate_cells(cells, store, tmp_path / "out", Progress(quiet=True), check_comparable)
    original, record = outcome.records
    assert (original.status, record.status) == ("ok", "ok")
    assert record.stages["samples"] != original.stages["samples"]
    assert record.matrices["interference"].before == original.matrices["interference"].before
    assert set(record.metrics) == set(original.metrics)
    assert f"{len(state)} of the" in record.warnings[-1]
    assert not (tmp_path / "store" / "base").exists(), "the shipped base is used"


def test_cells_of_methods_are_what_they_were(tiny_task: Task, tmp_path: Path) -> None:
    cell = expand([tiny_task], ["vdu"], (0,), "full", {}, "cpu")[0][-1]
    assert isinstance(cell, Cell)
    assert cell.external is None
    assert {"code", "settings"} <= set(request(cell, Store(tmp_path)))
