from __future__ import annotations

import json
from pathlib import Path

import pytest

from vdu_bench.engine.cells import expand, request, tasks_of
from vdu_bench.engine.recording import failed_record
from vdu_bench.engine.stages.record import find_record, keep_record
from vdu_bench.engine.store import Store
from vdu_bench.errors import UserError
from vdu_bench.methods.catalog import METHODS, method_facts
from vdu_bench.methods.vdu import VDU as Method
from vdu_bench.models.specs import CheckpointPosterior
from vdu_bench.tasks.loading import with_overrides
from vdu_bench.tasks.task import Task


def cells(task: Task, methods, regime="full", seeds=(0,), settings=None):
    return expand([task], methods, seeds, regime, {name: [own] for name, own in (settings or {}).items()}, "cpu")


def test_a_published_preset_is_not_mixed_with_the_task_s_own_settings(tiny_task: Task) -> None:
    own = tiny_task.method_settings | {"salun": {"steps": 2, "alpha": 0.3}}
    tuned = tiny_task.model_copy(update={"method_settings": own, "settings_from": {"salun": "tuned"}})

    def record(settings: dict) -> tuple[str, str, dict]:
        made = cells(tuned, ["salun"], settings={"salun": settings})[0][-1]
        found = failed_record(made, "cpu", RuntimeError("never run"))
        return made.name, found.settings_from, found.settings

    name, origin, settings = record({"preset": "published"})
    assert (name, origin) == ("tiny/salun+preset=published/seed0", "published")
    assert (settings["steps"], settings["alpha"]) == (1000, 3.072)
    assert record({"preset": "published", "steps": 3})[1:] == ("command", {**settings, "steps": 3})
    assert record({})[1] == "tuned"
    assert record({"preset": "ours"})[1] == "command"


def test_reference_rows_are_in_every_table(tiny_task: Task) -> None:
    made, left_out = cells(tiny_task, ["vdu"], seeds=[0, 1])
    assert [cell.name for cell in made] == [
        f"tiny/{method}/seed{seed}" for method in ("original", "retrain", "real", "vdu") for seed in (0, 1)
    ]
    assert left_out == []


def test_all_leaves_out_what_the_regime_forbids_and_names_it(tiny_task: Task) -> None:
    made, left_out = cells(tiny_task, ["all"], "forget_only")
    methods = {cell.method for cell in made}
    assert {"original", "retrain", "real", "vdu", "esd", "gradient_ascent"} <= methods
    barred = [name for name in METHODS.entries() if "retain_images" in method_facts(name).needs]
    assert {"finetune", "neggrad_plus", "salun"} <= set(barred)
    assert not methods & set(barred)
    why = "is left out: it needs retain_images, which --regime forget_only forbids"
    assert [line for line in left_out if why in line] == [f"tiny: {name} {why}" for name in barred]
    assert "tiny: uce is left out: it works on text_to_image models only" in left_out


def test_a_forbidden_method_that_is_asked_for_is_an_error(tiny_task: Task) -> None:
    with pytest.raises(UserError, match="finetune cannot run on tiny: it needs retain_images"):
        cells(tiny_task, ["finetune"], "forget_only")


def test_settings_of_task_and_user_come_together(tiny_task: Task) -> None:
    made, _ = cells(tiny_task, ["vdu"], settings={"vdu": {"gamma": 0.1}})
    assert made[-1].overrides == {"steps": 2, "batch_size": 8, "gamma": 0.1}


def test_a_record_says_what_differs_from_the_defaults_and_how_it_was_come_by(tiny_task: Task) -> None:
    def record(settings=None, task=tiny_task, regime="full", method="vdu"):
        (made,) = [cell for cell in cells(task, [method], regime, settings=settings)[0] if cell.method == method]
        return failed_record(made, "cpu", RuntimeError("never run"))

    own = record()
    assert (own.settings_changed, own.settings_from) == ({"steps": 2, "batch_size": 8}, "task")
    given = record({"vdu": {"steps": 3}})
    assert (given.settings_changed, given.settings_from) == ({"steps": 3, "batch_size": 8}, "command")
    default = Method.Settings.model_fields["steps"].default
    assert record({"vdu": {"steps": default}}).settings_changed == {"batch_size": 8}
    assert record(regime="forget_only").settings_from == "task"
    assert record(method="original").settings_from == "default"
    assert record(task=tiny_task.model_copy(update={"settings_from": {"vdu": "tuned"}})).settings_from == "tuned"
    other = with_overrides(tiny_task, {"method_settings": {"vdu": {"steps": 3}}})
    assert record(task=other).settings_from == "command"


def test_variants_of_a_method_are_cells_of_their_own_and_double_no_other_s(tiny_task: Task) -> None:
    gammas = {"vdu": [{"gamma": 0.1}, {"gamma": 0.3}]}
    made, _ = expand([tiny_task], ["vdu", "esd"], (0, 1), "full", gammas, "cpu")
    assert [cell.name for cell in made if cell.seed == 0] == [
        f"tiny/{row}/seed0" for row in ("original", "retrain", "real", "vdu+gamma=0.1", "vdu+gamma=0.3", "esd")
    ]
    assert len({cell.name for cell in made}) == len(made) == 12
    assert {cell.overrides["gamma"] for cell in made if cell.method == "vdu"} == {0.1, 0.3}


@pytest.mark.parametrize(("one", "other"), [(1, 1.0), (0, -0.0), ([1, 2], [1.0, 2.0])])
def test_one_number_has_one_name_however_it_is_spelled(
    one: object, other: object, tiny_task: Task, tmp_path: Path
) -> None:
    found = [cells(tiny_task, ["vdu"], settings={"vdu": {"gamma": value}})[0][-1] for value in (one, other)]
    assert found[0].name == found[1].name
    assert len({json.dumps(request(cell, Store(tmp_path))) for cell in found}) == 1
    with pytest.raises(UserError, match='vdu is to run twice on tiny with the same settings, {"gamma":'):
        expand([tiny_task], ["vdu"], (0,), "full", {"vdu": [{"gamma": one}, {"gamma": other}]}, "cpu")
    probes = [with_overrides(tiny_task, {"probe_settings": {"pairs": {"hold": value}}}) for value in (one, other)]
    assert len({cells(task, ["vdu"])[0][-1].name for task in probes}) == 1


def test_what_is_true_is_not_1(tiny_task: Task) -> None:
    expand([tiny_task], ["vdu"], (0,), "full", {"vdu": [{"new": 1}, {"new": True}]}, "cpu")


def test_variants_of_a_task_are_tasks_of_their_own(tiny_task: Task) -> None:
    tasks = [with_overrides(tiny_task, {"samples": samples}) for samples in (20, 30)]
    made, _ = expand(tasks, ["vdu"], (0,), "full", {}, "cpu")
    assert {cell.variant for cell in made} == {"tiny+samples=20", "tiny+samples=30"}
    assert [task.samples for task in tasks_of(made)] == [20, 30]


def test_a_name_stands_in_place_of_settings_but_of_no_reference(tiny_task: Task) -> None:
    def named(called: str, *variants: dict[str, float]) -> list[str]:
        return [
            cell.name for cell in expand([tiny_task], ["vdu"], (0,), "full", {"vdu": variants}, "cpu", None, called)[0]
        ]

    assert named("strong", {"gamma": 0.3}) == [
        f"tiny/{row}/seed0" for row in ("original", "retrain", "real", "vdu+strong")
    ]
    with pytest.raises(UserError, match="--name strong: vdu has 2 variants"):
        named("strong", {"gamma": 0.3}, {"gamma": 0.1})
    for wrong in ("a/b", "gamma=0.3", "-x", "a" * 33):
        with pytest.raises(UserError, match="--name"):
            named(wrong, {"gamma": 0.3})


def test_mistakes_are_named(tiny_task: Task) -> None:
    with pytest.raises(UserError, match="unknown method 'vduu'; did you mean 'vdu'"):
        cells(tiny_task, ["vduu"])
    with pytest.raises(UserError, match="settings are given for 'esd'"):
        cells(tiny_task, ["vdu"], settings={"esd": {"eta": 2}})
    with pytest.raises(UserError, match="unknown method 'edd'"):
        cells(tiny_task, ["vdu"], settings={"edd": {"eta": 2}})


def test_a_request_changes_with_everything_that_decides_the_record(tiny_task: Task, tmp_path: Path) -> None:
    store = Store(tmp_path)
    (base,) = [cell for cell in cells(tiny_task, ["vdu"])[0] if cell.method == "vdu"]
    original = request(base, store)
    others = [
        cells(tiny_task, ["vdu"], "forget_only")[0][-1],
        cells(tiny_task, ["vdu"], seeds=[1])[0][-1],
        cells(tiny_task, ["vdu"], settings={"vdu": {"gamma": 0.1}})[0][-1],
        cells(tiny_task, ["esd"])[0][-1],
        cells(tiny_task.model_copy(update={"samples": 41}), ["vdu"])[0][-1],
    ]
    assert request(cells(tiny_task, ["vdu"])[0][-1], store) == original
    for other in others:
        assert request(other, store) != original
    store.build("judge", {"family": "tiny"}, lambda _: {})
    assert request(base, store) != original


def test_a_record_that_is_found_says_of_this_command_how_its_settings_were_come_by(
    tiny_task: Task, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    own = cells(tiny_task, ["vdu"])[0][-1]
    keep_record(own, failed_record(own, "cpu", RuntimeError("never run")), store)
    settings = tiny_task.method_settings | {"vdu": {"batch_size": 8}}
    shorter = tiny_task.model_copy(update={"method_settings": settings})
    changed = with_overrides(shorter, {"method_settings": {"vdu": {"steps": 2}}})
    given = cells(changed, ["vdu"])[0][-1]
    assert request(given, store) == request(own, store)
    found = [find_record(cell, store) for cell in (own, given)]
    assert [record and record.settings_from for record in found] == ["task", "command"]


def test_models_from_elsewhere_are_told_apart_by_their_files(tiny_task: Task, tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    weights = tmp_path / "base" / "weights"
    weights.write_text("one")
    store = Store(tmp_path / "store")

    def asked(**changes: object) -> dict:
        made, _ = cells(tiny_task.model_copy(update={"base": str(tmp_path / "base"), **changes}), ["vdu"])
        assert {cell.method for cell in made} == {"original", "real", "vdu"}
        return request(made[-1], store)

    first = asked()
    assert asked() == first
    weights.write_text("other")
    second = asked()
    assert second != first
    checkpoints = CheckpointPosterior(source="checkpoints", checkpoints=(str(tmp_path), "somebody/something"))
    third = asked(posterior=checkpoints)
    (tmp_path / "another").touch()
    assert asked() == second
    assert asked(posterior=checkpoints) != third


def test_retraining_needs_a_recipe(tiny_task: Task) -> None:
    elsewhere = tiny_task.model_copy(update={"base": "somebody/something"})
    assert cells(elsewhere, ["vdu"])[1] == [
        "tiny: retrain is left out: the base is from elsewhere, and there is no recipe to train it again by"
    ]
    with pytest.raises(UserError, match="retrain cannot run on tiny"):
        cells(elsewhere, ["retrain"])
