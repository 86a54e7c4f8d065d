"""What goes by one name and is not the same is refused before anything is computed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from vdu_bench.engine.cells import Cell, expand
from vdu_bench.engine.code import code_of_others, run_again
from vdu_bench.engine.names import check_names, check_rests_on
from vdu_bench.engine.store import Store
from vdu_bench.errors import UserError
from vdu_bench.methods.catalog import METHODS
from vdu_bench.models.specs import LaplacePosterior, SnapshotPosterior
from vdu_bench.records import Record
from vdu_bench.spec import WHOLE, digest_of
from vdu_bench.tasks.loading import with_overrides
from vdu_bench.tasks.task import Task
from vdu_bench.tasks.task_files import merged


def cells_of(task: Task, **settings: Any) -> list[Cell]:
    variants: dict[str, list[Mapping[str, Any]]] = {"vdu": [settings]} if settings else {}
    return expand([task], ["vdu"], [0], "full", variants, "cpu")[0]


def record_of(task: Task, **changes: Any) -> Record:
    """vdu's, as a run of the task writes it."""
    protocol = {
        "version": task.protocol, "scale": task.scale, "sampler": task.sampler.model_dump(mode="json"),
        "samples": task.samples, "dtype": "float32", "extractor": "", "extractor_digest": "", "reference": "",
        "judge": "", "judge_digest": "", "confusion": [], "classes": [], "limits": task.limits,
    }  # fmt: skip
    plain = {
        "task": task.name, "family": task.family, "forget": task.forget, "method": "vdu", "role": "contestant",
        "regime": "full", "settings": {"gamma": 0.1, "steps": 2, "batch_size": 8},
        "settings_changed": {"steps": 2, "batch_size": 8}, "seeds": {"train": 0, "unlearn": 3, "sample": 3},
        "protocol": protocol, "ledger": None, "timings": {}, "environment": {}, "stages": {}, "status": "ok",
        "metrics": {}, "probe_settings": {"pairs": {"strength": task.pair_strength}},
    }  # fmt: skip
    return Record.model_validate(plain | changes)


def check(cells: Sequence[Cell], out: Path, found: Mapping[str, Record] | None = None) -> None:
    check_names(cells, out, found or {}, Store(out / "store"))


def put(record: Record, out: Path) -> None:
    file = out / "records" / f"{record.cell_name}.json"
    file.parent.mkdir(parents=True)
    file.write_text(record.to_json())


DIFFERENT: dict[str, dict[str, Any]] = {
    "samples": {"samples": 20},
    "forget": {"forget": "3"},
    "scale": {"scale": "small"},
    "protocol": {"protocol": 1},
    "family": {"family": "other"},
    "sampler.steps": {"sampler": {"steps": 7}},
    "quality.ratio": {"quality": {"ratio": 3}},
    "compute.autocast": {"compute": {"autocast": "bfloat16"}},
    "pair_strength": {"pair_strength": 0.3},
    "inception": {"inception": {}},
    "probe_settings.pairs.strength": {"probe_settings": {"pairs": {"strength": 0.3}}},
    "vdu.steps": {"method_settings": {"vdu": {"steps": 3}}},
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_a_task_that_was_edited_does_not_replace_its_records(name: str, tiny_task: Task, tmp_path: Path) -> None:
    put(record_of(tiny_task), tmp_path)
    check(cells_of(tiny_task), tmp_path)
    edited = Task.model_validate(merged(tiny_task.model_dump(context=WHOLE), DIFFERENT[name]))
    with pytest.raises(UserError, match=rf"seed3.json was .* {name}[ =].*give the task a name of its own, or name an"):
        check(cells_of(edited), tmp_path)


def test_another_posterior_does_not_replace_a_record(tiny_task: Task, tmp_path: Path) -> None:
    laplace = tiny_task.model_copy(update={"posterior": LaplacePosterior(source="laplace", samples=3)})
    store = Store(tmp_path / "store")
    taken = [
        SnapshotPosterior(source="snapshots", **counts).model_dump(mode="json", exclude={"source"})
        for counts in ({}, {"snapshots": 3})
    ]
    ours, other = (
        store.build("posterior", {"family": tiny_task.family, **how}, write(str(how)))[0].digest for how in taken
    )
    said = digest_of({"posterior": {"source": "laplace", "samples": 3, "observations": 1000, "prior_std": 0.01}})
    for known, task, alike in (
        (ours, tiny_task, True),
        ("elsewhere", tiny_task, True),  # another machine's
        (other, tiny_task, False),
        (said, laplace, True),
        (ours, laplace, False),
        (digest_of({"posterior": LaplacePosterior(source="laplace").model_dump()}), tiny_task, False),
    ):
        folder = tmp_path / f"{known}{alike}"
        put(record_of(tiny_task, digests={"posterior": known}), folder)
        if alike:
            check_names(cells_of(task), folder, {}, store)
            continue
        with pytest.raises(UserError, match="rests on another posterior than tiny has now"):
            check_names(cells_of(task), folder, {}, store)


def write(text: str) -> Callable[[Path], Mapping[str, Any]]:
    def make(folder: Path) -> Mapping[str, Any]:
        (folder / "file").write_text(text)
        return {}

    return make


def test_other_images_do_not_replace_records(tiny_task: Task, tmp_path: Path) -> None:
    """Of whatever row, since all of a variant stand in one table."""
    there = record_of(tiny_task, method="other")
    assert there.protocol is not None
    there.protocol.data_fingerprint = "before"
    put(there, tmp_path)
    cells = cells_of(tiny_task)
    check_rests_on(cells, tmp_path, {tiny_task.digest(): {"images": "before"}})
    with pytest.raises(UserError, match="other/seed3.json was measured with another set of images than tiny has now:"):
        check_rests_on(cells, tmp_path, {tiny_task.digest(): {"images": "now"}})


def test_another_base_from_elsewhere_does_not_replace_records(tiny_task: Task, tmp_path: Path) -> None:
    """In the same place, so that the task says the same."""
    put(record_of(tiny_task, digests={"base": "before"}), tmp_path)
    cells = cells_of(tiny_task)
    check_rests_on(cells, tmp_path, {tiny_task.digest(): {"images": "any", "base": "before"}})
    with pytest.raises(UserError, match="was measured with another base than tiny has now: give the task a name"):
        check_rests_on(cells, tmp_path, {tiny_task.digest(): {"images": "any", "base": "now"}})


def test_what_decides_nothing_is_no_difference(tiny_task: Task, tmp_path: Path) -> None:
    # Another batch of the sampler, a default of older code, and what older records do not say.
    older = record_of(tiny_task, family="", settings={"gamma": 0.7, "steps": 2, "gone": 1})
    assert older.protocol is not None
    sampler = {**older.protocol.sampler, "batch_size": 5}
    put(
        older.model_copy(update={"protocol": older.protocol.model_copy(update={"sampler": sampler, "limits": {}})}),
        tmp_path,
    )
    check(cells_of(tiny_task), tmp_path)


def test_settings_of_probes_are_compared_as_records_hold_them(tiny_task: Task, tmp_path: Path) -> None:
    settings = {"relearn": {"images": (5, 25), "learning_rate": 1, "samples": None}}
    told = {"relearn": {"images": [5, 25], "learning_rate": 1.0, "samples": None, "clip_norm": 1.0}}
    put(record_of(tiny_task, probe_settings=told), tmp_path)
    check(cells_of(tiny_task.model_copy(update={"probe_settings": settings})), tmp_path)


def test_of_long_values_what_differs_is_told(tiny_task: Task, tmp_path: Path) -> None:
    long = "the same words again and again, and " * 9
    one, other = ({"relearn": {"words": {"same": long, "told": [long, f"{long}{end}"]}}} for end in ("one", "two"))
    put(record_of(tiny_task, probe_settings=one), tmp_path)
    with pytest.raises(
        UserError, match=r'with probe_settings.relearn.words.told.1 \.\.\..*and one", .* and two": give'
    ):
        check(cells_of(tiny_task.model_copy(update={"probe_settings": other})), tmp_path)


def test_of_the_changes_those_that_differ_are_told(tiny_task: Task, tmp_path: Path) -> None:
    task = with_overrides(tiny_task, {"title": "a/b", "samples": 20})
    put(record_of(task, task_changes={"samples": 20, "title": "c/b"}), tmp_path)
    with pytest.raises(UserError, match=r"is of {'title': 'c/b'}, and this run of {'title': 'a/b'}: name another"):
        check(cells_of(task), tmp_path)


def test_a_record_that_is_found_is_held_against_the_one_that_is_there(tiny_task: Task, tmp_path: Path) -> None:
    put(record_of(tiny_task), tmp_path)
    cell = next(cell for cell in cells_of(tiny_task) if cell.method == "vdu")
    check([cell], tmp_path, {cell.name: record_of(tiny_task)})
    other = record_of(tiny_task, settings={"gamma": 0.1, "steps": 9, "batch_size": 8}, settings_changed={"steps": 9})
    with pytest.raises(UserError, match=r"made with vdu.steps=2, and this run would be with 9"):
        check([cell], tmp_path, {cell.name: other})


def test_two_tasks_of_one_name(tiny_task: Task, tmp_path: Path) -> None:
    other = tiny_task.model_copy(update={"samples": 20})
    cells = [*cells_of(tiny_task), *cells_of(other)]
    with pytest.raises(UserError, match="two tasks are called tiny: give one of them another `name:`"):
        check(cells, tmp_path)
    short = [with_overrides(tiny_task, {"title": title}) for title in ("a/b", "c/b")]
    with pytest.raises(UserError, match=r"two cells would be called tiny\+title=b/original/seed0, one of {'title'"):
        check([cell for task in short for cell in cells_of(task)], tmp_path)
    cased = [with_overrides(tiny_task, {"title": title}) for title in ("new", "New")]
    with pytest.raises(UserError, match=r"called tiny\+title=new/.* and tiny\+title=New/.*: run them apart, each with"):
        check([cell for task in cased for cell in cells_of(task)], tmp_path)


def test_a_failed_record_says_what_was_to_be_forgotten(tiny_task: Task, tmp_path: Path) -> None:
    put(record_of(tiny_task, protocol=None, status="failed"), tmp_path)
    check(cells_of(tiny_task.model_copy(update={"samples": 20})), tmp_path)
    with pytest.raises(UserError, match='measured with forget "5", and this run would be with "3"'):
        check(cells_of(tiny_task.model_copy(update={"forget": "3"})), tmp_path)
    assert json.loads((tmp_path / "records/tiny/vdu/seed3.json").read_text())["forget"] == "5"


def put_trained(task: Task, out: Path, base: Mapping[str, Any], judge: Mapping[str, Any]) -> None:
    """A record whose base and judge were trained by these recipes, and lie in the store beside it."""
    store = Store(out / "store")
    artifacts = {
        kind: store.build(kind, {"recipe": recipe}, lambda _: {})[0]
        for kind, recipe in (("base", base), ("judge", judge))
    }
    put(record_of(task, stages={kind: artifact.address for kind, artifact in artifacts.items()}), out)


@pytest.mark.parametrize(
    ("edit", "name"),
    [
        ({"base": {"training": {"steps": 9}}}, "model.training.steps=9"),
        ({"base": {"noise_scheduler": {"beta_end": 0.5}}}, r"model.noise_scheduler.beta_end=0.5"),
        ({"judge": {"width": 3}}, "judge.width=3"),
        ({"judge": {"network": "timm"}}, 'judge.network="timm"'),
    ],
)
def test_another_recipe_is_told_by_what_the_store_has(
    edit: dict[str, Any], name: str, tiny_task: Task, tmp_path: Path
) -> None:
    assert tiny_task.recipe is not None
    recipes = {"base": tiny_task.recipe.model_dump(mode="json"), "judge": tiny_task.judge.model_dump(mode="json")}
    put_trained(tiny_task, tmp_path, **merged(recipes, edit))
    with pytest.raises(UserError, match=rf"seed3.json rests on a model trained with {name}, .* give the task a name"):
        check(cells_of(tiny_task), tmp_path)
    # Of a model that is not here nothing is known.
    check_names(cells_of(tiny_task), tmp_path, {}, Store(tmp_path / "another"))


def test_a_recipe_of_older_code_is_the_same_but_for_what_it_says(tiny_task: Task, tmp_path: Path) -> None:
    assert tiny_task.recipe is not None
    base, judge = tiny_task.recipe.model_dump(mode="json"), tiny_task.judge.model_dump(mode="json")
    del base["training"]["weight_decay"], base["stored_dtype"]
    put_trained(tiny_task, tmp_path, base, judge | {"that is no more": 1})
    check(cells_of(tiny_task), tmp_path)


def test_a_method_does_not_replace_a_checkpoint_of_its_name(tiny_task: Task, tmp_path: Path) -> None:
    put(record_of(tiny_task, role="external", ledger=None, settings={"checkpoint": "mine"}), tmp_path)
    with pytest.raises(UserError, match="is of a checkpoint from elsewhere, and this run of a method that is called"):
        check(cells_of(tiny_task), tmp_path)


def test_a_seed_that_stays_and_was_made_by_other_code_is_refused(
    tiny_task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of somebody's own method, whose version no record has; asked for anew, that seed is the others' too."""
    file = tmp_path / "mine.py"
    file.write_text("# empty\n")
    METHODS.add("mine", "vdu_bench_plugin_mine:Mine", file)
    entry = METHODS.entry("mine")
    put(record_of(tiny_task, method="mine", settings={}, environment={"method_code": code_of_others(entry)}), tmp_path)
    monkeypatch.setattr("vdu_bench.engine.names._check_same", lambda *_: None)
    cells = [replace(cell, method="mine", overrides={}) for cell in cells_of(tiny_task) if cell.method == "vdu"]
    check(cells, tmp_path)
    file.write_text("new = 1\n")
    run_again(file)
    with pytest.raises(UserError, match=r"seed3.json was made by other code of mine than .*: ask for seed 3 too"):
        check(cells, tmp_path)
    check([*cells, *(replace(cell, seed=3) for cell in cells)], tmp_path)
    assert code_of_others(METHODS.entry("vdu")) == code_of_others(METHODS.entry("esd")) == ""
