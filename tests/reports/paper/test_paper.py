"""The paper's table as data: scales apart, published beside measured, nothing left out."""

from __future__ import annotations

from pathlib import Path

import pytest
from cells import cells, result

from vdu_bench.errors import UserError
from vdu_bench.records import Record
from vdu_bench.reports.families import families, of_scale, scales
from vdu_bench.reports.paper.published import Publication, PublishedNumber, published_folder, read_published
from vdu_bench.reports.paper.table import PaperTable, paper_tables

SUITE = read_published(published_folder())


def at(task: str, scale: str = "embedded", family: str = "", forget: str = "1", **options: object) -> list[Record]:
    records = cells(task=task, **options)
    for record in records:
        record.family, record.forget, record.protocol.scale = family, forget, scale
    return records


def publication(method: str, paper: str = "a paper", task: str = "digits_1") -> Publication:
    numbers = [PublishedNumber(task=task, metric="pul", value=50.5, unit="%", method=method, source="a table")]
    return Publication(paper=paper, title="A Title", source="a table", numbers=numbers)


def shape(table: PaperTable) -> dict[str, list[str]]:
    return {group.family: [found.title for found in group.classes] for group in table.data_sets}


def test_each_scale_has_a_table_of_its_own() -> None:
    records = [
        *at("digits_1"),
        *at("mnist_1", "full"),
        *at("mnist_8", "full", forget="8"),
        *at("mnist_1_small", "small"),
    ]
    tables = paper_tables(records, SUITE)
    assert [table.scale for table in tables] == ["embedded", "full", "small"]
    assert [shape(table) for table in tables] == [
        {"digits": ["1"]},
        {"mnist": ["1", "8"]},
        {"mnist_small": ["1"]},
    ]
    for table in tables:
        assert table.caption.startswith(f"{table.scale.capitalize()} scale")


def test_a_record_says_its_family_and_older_ones_have_the_catalog_s() -> None:
    records = [*at("mine_1", family="mine"), *at("theirs"), *at("digits_8")]
    assert families(records) == {"mine_1": "mine", "theirs": "theirs", "digits_8": "digits"}


def test_a_task_that_was_never_measured_has_the_catalog_s_scale() -> None:
    lost = [r.model_copy(update={"protocol": None, "status": "failed", "metrics": {}}) for r in at("mnist_1")]
    unknown = [record.model_copy(update={"task": "theirs"}) for record in lost]
    assert scales([*lost, *unknown]) == {"mnist_1": "full", "theirs": ""}
    table, full = paper_tables([*lost, *unknown], [])
    assert (table.scale, full.scale) == ("", "full")
    (found,) = full.data_sets[0].classes
    assert [column.column.name for column in found.columns] == ["pul_strict"]
    assert any("mnist_1: vdu, seed 0: failed" in note for note in full.notes)


def test_one_scale_can_be_asked_for() -> None:
    records = [*at("digits_1"), *at("mnist_1", "full")]
    assert {record.task for record in of_scale(records, "full")} == {"mnist_1"}
    with pytest.raises(UserError, match="--scale small: there are no records of it; there are of: embedded, full"):
        of_scale(records, "small")


def test_published_numbers_stand_in_their_own_column_and_row_with_their_source() -> None:
    table, small = paper_tables([*at("mnist_1", "full"), *at("mnist_1_small", "small")], SUITE)
    pul, distance = table.data_sets[0].classes[0].columns
    (source,) = pul.published
    assert source.paper == "arXiv:2510.04058"
    assert {method: number.value for method, number in source.numbers.items()} == {"as listed for the paper": 75.06}
    assert distance.published == ()
    assert table.sections[-1] == ("as listed for the paper",)
    assert table.role("as listed for the paper") == "published"
    assert (
        "[1] arXiv:2510.04058, Variational Diffusion Unlearning: a public listing of the paper's results" in table.notes
    )
    assert not any("mnist_1_small" in note for note in table.notes)
    # The same number stands beside the small-scale task that names itself there, and the table says whose it is.
    (source,) = small.data_sets[0].classes[0].columns[0].published
    assert [number.value for number in source.numbers.values()] == [75.06]
    assert small.notes[-1] == "mnist_1_small: what is published belongs to mnist_1, whose models are larger"


def test_of_a_task_that_nothing_is_published_of_no_paper_is_named() -> None:
    (table,) = paper_tables(at("digits_1"), SUITE)
    assert table.data_sets[0].classes[0].columns[0].published == ()
    assert not any("arXiv" in note for note in table.notes)
    assert len(table.sections) == 2


def test_a_published_number_of_a_method_that_was_run_stands_in_its_row() -> None:
    (table,) = paper_tables(at("digits_1"), [publication("vdu"), publication("theirs", "another paper")])
    first, second = table.data_sets[0].classes[0].columns[0].published
    assert (first.marker, list(first.numbers)) == (1, ["vdu"])
    assert (second.marker, list(second.numbers)) == (2, ["theirs"])
    assert table.sections == (("retrain", "original"), ("vdu", "esd"), ("theirs",))


def test_a_limited_forget_set_is_a_class_of_its_own_and_no_paper_s() -> None:
    limited = at("digits_1")
    for record in limited:
        record.forget_images = 25
    (table,) = paper_tables([*at("digits_1"), *limited], [publication("vdu")])
    few, every = table.data_sets[0].classes
    assert (few.title, every.title) == ("1, 25 images", "1")
    assert few.columns[0].published == ()
    assert len(every.columns[0].published) == 1


def test_two_tasks_of_a_family_that_read_the_same_are_told_apart() -> None:
    (table,) = paper_tables([*at("digits_1"), *at("another", family="digits")], [])
    assert sorted(shape(table)["digits"]) == ["another", "digits_1"]


def test_a_diverged_cell_and_one_that_is_missing_stay_apart() -> None:
    records = [r for r in [*at("digits_1"), *at("digits_8", forget="8")] if (r.task, r.method) != ("digits_8", "esd")]
    (lost,) = [record for record in records if record.cell_name == "digits_1/esd/seed1"]
    lost.status, lost.reason, lost.metrics = "diverged", "NaN at step 7", {}
    (table,) = paper_tables(records, [])
    one, eight = table.data_sets[0].classes
    assert one.row("esd").status == "diverged"
    assert eight.row("esd") is None
    assert table.sections == (("retrain", "original"), ("vdu", "esd"))
    assert "digits_1: esd, seed 1: diverged: NaN at step 7" in table.notes


def test_all_distances_are_columns_under_their_own_names() -> None:
    records = at("digits_1")
    for record in records:
        record.metrics["fid_inception"] = record.metrics["fd_judge"].model_copy(update={"label": "fid_inception_10000"})
    (table,) = paper_tables(records, [])
    labels = [column.column.label for column in table.data_sets[0].classes[0].columns]
    assert labels == ["pul", "fd_judge_2000", "fid_inception_10000"]


def test_further_ways_to_tell_forgetting_are_shown_beside_published_numbers_alone() -> None:
    records = at("digits_1")
    for record in records:
        strict = {"label": "strict", "title": "", "rank": 0}
        record.metrics["strict"] = record.metrics["pul"].model_copy(update=strict)

    def shown(*publications: Publication) -> list[str]:
        (table,) = paper_tables(records, publications)
        return [column.column.name for column in table.data_sets[0].classes[0].columns]

    assert shown() == ["strict", "fd_judge"]
    assert shown(publication("vdu")) == ["strict", "pul", "fd_judge"]
    assert shown(publication("vdu", task="digits_8")) == ["strict", "fd_judge"]


def test_rows_are_ordered_over_the_classes_and_who_is_destroyed_everywhere_comes_last() -> None:
    """``wild`` is destroyed in one of two classes and counts by the other; ``wreck`` in both."""
    shares = {"vdu": 0.5, "esd": 0.6, "wild": 0.3, "wreck": 0.0}
    records = [*at("digits_1", survivors=shares), *at("digits_8", forget="8", survivors=shares)]
    for record in records:
        record.protocol.limits = {"ratio": 2.0}
        distance = record.metrics["fd_judge"] = record.metrics["fd_judge"].model_copy(update={"limit": "ratio"})
        if record.method == "wreck" or (record.method, record.task) == ("wild", "digits_8"):
            distance.estimate.value = 500.0
    (table,) = paper_tables(records, [])
    assert table.sections[1] == ("wild", "vdu", "esd", "wreck")
    one, eight = table.data_sets[0].classes
    assert (set(one.board.destroyed), set(eight.board.destroyed)) == ({"wreck"}, {"wreck", "wild"})
    assert "⊗: beyond the quality limit" in table.caption


def test_the_caption_says_what_is_tested_and_what_is_not() -> None:
    (several,) = paper_tables(at("digits_1"), [])
    assert "Mean over seeds 0-2, with its 95 % interval in brackets" in several.caption
    assert "PUL paired over initial noise and seeds, Frechet distance over seeds" in several.caption
    (single,) = paper_tables(at("digits_1", seeds=[0]), [])
    assert "Of a single seed" in single.caption
    assert "With one seed the test is about these runs" in single.caption
    assert "Frechet distance over seeds" not in single.caption
    assert any("digits_1: fd_judge_2000: not tested" in note for note in single.notes)


def test_published_numbers_ship_with_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import vdu_bench.reports.paper.published as module

    (tmp_path / "vdu_bench" / "published").mkdir(parents=True)
    monkeypatch.setattr(module, "__file__", str(tmp_path / "vdu_bench" / "reports" / "paper" / "published.py"))
    assert published_folder() == tmp_path / "vdu_bench" / "published"


def test_the_leaks_of_attacks_stand_between_forgetting_and_distance_where_there_are_any() -> None:
    records = at("digits_1")
    for record in records:
        record.metrics |= {name: result(name, 0.5) for name in ("relearn_rate", "relearn_leak")}
    (table,) = paper_tables(records, [])
    found = table.data_sets[0].classes[0].columns
    assert [column.column.name for column in found] == ["pul", "relearn_leak", "fd_judge"]
    assert "relearn leak and Frechet distance" in table.caption
