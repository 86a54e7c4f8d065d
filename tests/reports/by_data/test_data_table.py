"""What methods do with how much data: every number in its column, and a reason for every empty place."""

from __future__ import annotations

import pytest
from amounts import SIZE, by_amount

from vdu_bench.errors import UserError
from vdu_bench.records import Record
from vdu_bench.reports.by_data.cells import images_text, number, numbers
from vdu_bench.reports.by_data.notes import amounts_text, data_notes
from vdu_bench.reports.by_data.table import Amount, DataRow, DataTable, data_tables
from vdu_bench.reports.tables.leaderboard import leaderboards
from vdu_bench.reports.tables.text import ABSENT, DESTROYED, TIED


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return by_amount((1, 5, 25, None), ("forget_only", "forget_and_retain", "full"), (2, 5))


@pytest.fixture(scope="module")
def table(records: list[Record]) -> DataTable:
    return the(records)


def the(records: list[Record]) -> DataTable:
    (one,) = data_tables(records)
    return one


def row(table: DataTable, name: str) -> DataRow:
    (one,) = [row for row in table.rows if row.name == name]
    return one


def column(table: DataTable, regime: str, images: int | None) -> Amount:
    (one,) = [amount for amount in table.amounts if (amount.regime, amount.forget_images) == (regime, images)]
    return one


def text(table: DataTable, name: str, regime: str, images: int | None) -> list[str]:
    return [cell.plain for cell in numbers(table, row(table, name), column(table, regime, images))]


def test_columns_go_from_the_least_data_to_the_most(table: DataTable) -> None:
    regimes = ("forget_only", "forget_and_retain", "full")
    assert [(one.regime, one.forget_images) for one in table.amounts] == [
        (regime, images) for regime in regimes for images in (1, 5, 25, None)
    ]
    assert [images_text(table, one) for one in table.amounts[:4]] == ["1 image", "5 images", "25 images", "all (132)"]
    assert (table.forget_set, [metric.name for metric in table.metrics]) == (SIZE, ["pul", "fd_judge"])
    assert amounts_text(table.amounts[1:6]) == "forget_only 5, 25, all; forget_and_retain 1, 5"


def test_some_regimes_alone_have_their_columns_as_they_were(records: list[Record], table: DataTable) -> None:
    (some,) = data_tables(records, ["forget_only", "full"])
    assert some.amounts == tuple(one for one in table.amounts if one.regime != "forget_and_retain")
    assert set(some.rows) == set(table.rows)
    for name in ("vdu", "esd", "original"):
        assert text(some, name, "forget_only", 5) == text(table, name, "forget_only", 5)
    assert {amount.regime for _, amount in some.places} == {"forget_only", "full"}


def test_a_cell_has_the_numbers_of_its_own_leaderboard(table: DataTable, records: list[Record]) -> None:
    boards = {board.variant: board for board in leaderboards(records)}
    for name, images, variant, shown in (
        ("vdu", 5, "digits_1-forget5", "vdu[regime=forget_only]"),
        ("esd", None, "digits_1", "esd[regime=forget_only]"),
    ):
        (found,) = [one for one in boards[variant].rows if one.method == shown]
        place = table.places[row(table, name), column(table, "forget_only", images)]
        assert place.row.seeds == (0, 1)
        for metric in table.metrics:
            assert place.estimate(metric) == found.estimates[metric.name]
    (few,) = [one for one in boards["digits_1+posterior.snapshots=2"].rows if one.method == "vdu"]
    place = table.places[row(table, "vdu, 2 snapshots"), column(table, "full", None)]
    assert place.estimate(table.metrics[0]) == few.estimates["pul"]


def test_what_cannot_run_is_empty_and_says_why_and_what_was_not_run_has_a_dash(table: DataTable) -> None:
    assert text(table, "finetune", "forget_only", 5) == [""]
    assert table.why_not(row(table, "finetune"), table.amounts[0]) == "needs retain_images, which forget_only forbids"
    assert text(table, "vdu, 2 snapshots", "full", 5) == [ABSENT]
    notes = data_notes(table)
    assert "empty, cannot run: needs retain_images, which forget_only forbids (finetune)" in notes
    assert "-: could run, and was not run" in notes
    # Of a method that is not installed nobody knows what it needs.
    records = [record for record in by_amount() if record.method != "esd"]
    for record in records:
        if record.method == "finetune":
            record.method = "theirs"
    theirs = the(records)
    assert text(theirs, "theirs", "forget_only", 5) == [ABSENT]
    assert not any("cannot run" in note for note in data_notes(theirs))
    full = the(by_amount(regimes=("full",), snapshots=()))
    assert not any(note.startswith(("empty", "-:")) for note in data_notes(full))


def test_a_destroyed_model_is_marked_where_it_is_and_competes_there_for_nothing(table: DataTable) -> None:
    method = row(table, "gradient_ascent")
    for amount in table.amounts:
        cells = [number(table, method, amount, metric) for metric in table.metrics]
        gone = amount.forget_images in (1, 5)
        assert [cell.mark == DESTROYED for cell in cells] == [gone, gone]
        best = table.best[amount, "pul"]
        assert (best.best in ("gradient_ascent", f"gradient_ascent[regime={amount.regime}]")) is not gone
    (note,) = [note for note in data_notes(table) if note.startswith(DESTROYED)]
    assert note.startswith("⊗ gradient_ascent has destroyed the model: fd_judge_2000 beyond 4")
    assert note.endswith("in forget_only 1, 5; forget_and_retain 1, 5; full 1, 5")


def test_the_best_of_each_column_is_among_its_contestants_alone(table: DataTable) -> None:
    for amount in table.amounts:
        for metric in table.metrics:
            cells = {one.name: number(table, one, amount, metric) for one in table.rows}
            bold = [name for name, cell in cells.items() if cell.bold]
            values = {
                one.name: table.places[one, amount].estimate(metric).value
                for one in table.rows
                if (one, amount) in table.places and one.role == "contestant" and one.snapshots is None
                if not table.places[one, amount].destroyed
            }
            assert bold == [(max if metric.name == "pul" else min)(values, key=values.__getitem__)]
            assert {name for name, cell in cells.items() if cell.mark == TIED} <= set(values)
    # It ties in the same column without being another method.
    assert number(table, row(table, "vdu, 5 snapshots"), column(table, "full", None), table.metrics[0]).mark == ""


def test_references_stand_in_every_column_and_first(table: DataTable) -> None:
    assert [one.name for one in table.rows][:2] == ["retrain", "original"]
    assert all((row(table, "retrain"), amount) in table.places for amount in table.amounts)
    assert not any(one.role == "reference" and one.snapshots for one in table.rows)


def test_rows_are_in_the_order_of_what_they_forgot_and_a_lost_model_forgot_nothing(
    table: DataTable, records: list[Record]
) -> None:
    names = [one.name for one in table.rows]
    # Gradient ascent forgets most wherever it is within the limit, which is in half of the columns.
    assert names[2:] == ["vdu", "vdu, 2 snapshots", "vdu, 5 snapshots", "esd", "gradient_ascent", "finetune"]
    fewer = the([record for record in records if record.method != "esd"])
    assert [one.name for one in fewer.rows] == [name for name in names if name != "esd"]
    lost = by_amount()
    for record in lost:
        if record.method == "vdu" and record.task_changes == {}:
            record.status, record.metrics, record.reason = "diverged", {}, "NaN at step 7"
    table = the(lost)
    assert [one.name for one in table.rows][-2:] == ["vdu", "vdu, 2 snapshots"]
    assert text(table, "vdu", "full", 5) == ["diverged"]
    assert any("vdu, seed 1: diverged: NaN at step 7" in note for note in data_notes(table))


def test_settings_and_names_of_rows_stay_and_regimes_are_columns() -> None:
    records = by_amount(limits=(5, None), snapshots=())
    for record in records:
        if record.method == "esd":
            record.method_changes = record.method_changes | {"eta": 0.5}
        if record.method == "vdu":
            record.called = "short" if record.regime == "full" else ""
    assert {one.name for one in the(records).rows if one.role == "contestant"} == {
        *("vdu[short]", "vdu", "esd[eta=0.5]", "finetune", "gradient_ascent")
    }


def test_notes_say_what_is_not_as_elsewhere() -> None:
    records = by_amount()
    records = [one for one in records if one.method != "esd" or one.forget_images != 5 or one.seeds.sample == 0]
    records.append(records[-1].model_copy(update={"method": "theirs", "role": "external", "regime": "unknown"}))
    table = the(records)
    notes = data_notes(table)
    assert "2 seeds a cell, but esd: 1 (forget_only 5; full 5)" in notes
    assert "vdu: a posterior of 10 snapshots where the row names no other number" in notes
    assert "theirs: not here, since what data a model from elsewhere saw is not known" in notes
    assert "theirs" not in [one.name for one in table.rows]
    frameless = the([one for one in records if one.method != "original" or one.forget_images != 5])
    assert any(note.startswith("digits_1-forget5: not held against the quality") for note in data_notes(frameless))


def test_settings_are_said_when_asked_for() -> None:
    records = by_amount(limits=(None,), regimes=("full",), snapshots=())
    for record in records:
        record.settings_from, record.settings_changed = "tuned", {"eta": 0.5}
    assert "esd: eta=0.5 (tuned)" in data_notes(the(records), settings=True)
    assert not any("tuned" in note for note in data_notes(the(records)))


@pytest.mark.parametrize("field", ["settings", "samples"])
def test_records_that_differ_in_more_than_their_data_are_refused(field: str) -> None:
    records = by_amount()
    for record in records:
        if record.forget_images == 5:
            if field == "settings":
                record.settings = {"steps": 99}
            else:
                record.protocol.samples = 500
    with pytest.raises(UserError, match=field):
        data_tables(records)


def test_tasks_that_were_changed_otherwise_have_tables_of_their_own() -> None:
    records = by_amount(limits=(5, None), regimes=("full",))
    for record in records:
        record.task_changes = record.task_changes | {"samples": 1000}
    tables = data_tables([*records, *by_amount(limits=(None,))])
    assert [table.setup for table in tables] == ["digits_1", "digits_1+samples=1000"]
    assert {one.name for one in tables[1].rows} >= {"vdu", "vdu, 2 snapshots"}


def test_where_nothing_was_measured_there_is_no_table() -> None:
    records = by_amount(limits=(None,))
    for record in records:
        record.status, record.metrics, record.protocol = "failed", {}, None
    with pytest.raises(UserError, match="digits_1: no cell was measured"):
        data_tables(records)


def test_a_task_of_references_alone_has_no_table_and_takes_no_other_s(records: list[Record]) -> None:
    references = [record for record in by_amount(limits=(None,)) if record.role == "reference"]
    for record in references:
        record.task = "digits_8"
    assert [table.setup for table in data_tables([*records, *references])] == ["digits_1"]
    with pytest.raises(UserError, match="here are references and models from elsewhere alone"):
        data_tables(references)


def test_who_cannot_run_in_any_of_the_columns_stands_last(table: DataTable) -> None:
    """Whoever needs other images is empty where there are none; empty rows before full ones are hard to read."""
    for regime in ("forget_only", "full"):
        amounts = [amount for amount in table.amounts if amount.regime == regime]
        rows = table.rows_in(amounts)
        run = [any((row, amount) in table.places for amount in amounts) for row in rows]
        assert run == sorted(run, reverse=True)
        ran = [row for row, there in zip(rows, run, strict=True) if there]
        assert ran == [row for row in table.rows if row in ran]
    assert not all(
        (row, column(table, "forget_only", 5)) in table.places
        for row in table.rows_in([column(table, "forget_only", 5)])
    )


def test_what_was_not_tested_is_named() -> None:
    """With one seed a distance has no test; what counts samples has."""
    single = the([one for one in by_amount((1, 5), ("full",), (2, 5)) if one.seeds.sample == 0])
    why = "not tested, which takes two seeds that a contestant shares with the best"
    assert f"fd_judge_2000: {why}" in data_notes(single)
    both = by_amount((1, 5), ("full",), (2, 5))
    some = the([one for one in both if one.seeds.sample == 0 or one.forget_images == 5])
    assert f"fd_judge_2000 (full 1): {why}" in data_notes(some)
