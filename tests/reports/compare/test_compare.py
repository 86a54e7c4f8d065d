"""Two sets of records side by side: what is paired with what, what is refused, and whether the intervals are right."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from cells import cells, write
from commands import cli
from rich.console import Console

from vdu_bench.errors import UserError
from vdu_bench.measured import Estimate
from vdu_bench.records import Record
from vdu_bench.reports.compare.differences import Compared, Difference, compare_records
from vdu_bench.reports.compare.formats import compared_csv, compared_markdown, print_compared
from vdu_bench.reports.compare.rows import pair_rows, parse_rows


def the(found: list[Compared], row: str, metric: str) -> Difference:
    (one,) = [
        difference
        for compared in found
        if compared.pair.left == row
        for difference in compared.differences
        if difference.column.name == metric
    ]
    return one


def called(records: list[Record], method: str, name: str) -> list[Record]:
    return [record.model_copy(update={"called": name * (record.method == method)}) for record in records]


def test_rows_of_one_name_are_paired_over_the_seeds_that_both_have() -> None:
    found = compare_records(cells(seeds=(0, 1, 2)), cells({"vdu": 0.5}, seeds=(1, 2, 3)))
    assert [(one.pair.left, one.pair.right, one.pair.seeds) for one in found] == [
        (row, row, [1, 2]) for row in ("esd", "original", "retrain", "vdu")
    ]
    assert "left out, as one of the two alone has them: seeds 0, 3" in found[-1].notes
    pul = the(found, "vdu", "pul")
    assert pul.left == pytest.approx(80, abs=8)
    assert pul.change.value == pytest.approx(pul.right - pul.left)
    assert pul.change.low <= pul.change.value <= pul.change.high < 0
    assert pul.winner == "A"
    same = the(found, "esd", "pul").change
    assert (same.value, same.low < 0 < same.high) == (0.0, True)


def test_the_difference_of_paired_samples_is_known_better_than_the_rows_are() -> None:
    pul = the(compare_records(cells(seeds=(0,)), cells({"vdu": 0.25}, seeds=(0,))), "vdu", "pul")
    # About 200 hits: PUL alone is known to 5 or 6 points; the 10 of them that differ tell the difference better.
    assert "paired over samples and 1 seed" in pul.change.method
    assert pul.change.high - pul.change.low < 8
    assert pul.winner == "A"


def test_a_planted_difference_is_covered_and_none_is_seldom_found() -> None:
    def forgotten(draw: int, share: float) -> list[Record]:
        kept = [one for one in cells({"vdu": share}, (0, 1), draw) if one.method in ("original", "vdu")]
        return [one.model_copy(update={"metrics": {"pul": one.metrics["pul"]}}) for one in kept]

    covered, false, rounds = 0, 0, 25
    for draw in range(rounds):
        base = forgotten(draw, 0.3)
        found = the(compare_records(base, forgotten(draw, 0.4)), "vdu", "pul").change
        covered += found.low <= -10.0 <= found.high
        false += the(compare_records(base, forgotten(draw + rounds, 0.3)), "vdu", "pul").winner != ""
    assert covered >= 0.88 * rounds
    assert false <= 0.12 * rounds


def test_what_is_not_counted_is_paired_over_seeds_alone() -> None:
    left, right = cells(seeds=(0, 1, 2)), cells(seeds=(0, 1, 2))
    for record in right:
        if record.method == "vdu":
            estimate = record.metrics["fd_judge"].estimate
            estimate.value += 5.0 + (record.seeds.sample - 1) * 0.1
    found = the(compare_records(left, right), "vdu", "fd_judge")
    # Student's t of 2 degrees of freedom at 97.5 % is 4.303, and the standard error 0.1 / sqrt(3).
    assert (found.change.value, found.change.high - found.change.value) == pytest.approx((5.0, 4.302653 * 0.1 / 3**0.5))
    assert found.winner == "A"
    one = the(compare_records(left[:4], right[:4]), "vdu", "fd_judge")
    assert (one.change.method, one.winner) == ("no interval from a single seed", "")


def test_a_clock_names_no_winner() -> None:
    left, right = cells(), cells()
    for record in right:
        record.metrics["unlearn_seconds"].estimate.value += 9.0
        record.metrics["nfe_forward"].estimate.value += 9.0
    found = compare_records(left, right)
    assert the(found, "vdu", "unlearn_seconds").winner == ""
    assert the(found, "vdu", "nfe_forward").winner == "A"


def test_two_rows_of_one_folder() -> None:
    records = [*cells(), *(one for one in called(cells({"vdu": 0.6}), "vdu", "weak") if one.method == "vdu")]
    for record in records:
        if record.called:
            record.settings = {"steps": 10, "gamma": 0.3}
    (found,) = compare_records(records, records, parse_rows(["vdu[weak]=vdu"]))
    assert (found.pair.left, found.pair.right) == ("vdu[weak]", "vdu")
    assert the([found], "vdu[weak]", "pul").winner == "B"
    assert "settings: gamma 0.3 in A, null in B; steps 10 in A, 40 in B" in found.notes


def test_what_rows_are_called_may_hold_an_equals_sign() -> None:
    assert parse_rows(["vdu[gamma=0.3, steps=5]=vdu", " a = b "]) == [("vdu[gamma=0.3, steps=5]", "vdu"), ("a", "b")]
    assert parse_rows(["vdu=esd", " vdu = esd "]) == [("vdu", "esd")]
    for wrong in ("vdu", "vdu[gamma=0.3]", "=vdu", "vdu="):
        with pytest.raises(UserError, match="write ROW_OF_A=ROW_OF_B"):
            parse_rows([wrong])


def test_records_that_do_not_compare_are_refused_with_the_field() -> None:
    right = cells()
    for record in right:
        assert record.protocol is not None
        record.protocol.version = 2
    with pytest.raises(UserError, match="of several protocols, .* .protocol 1 in .*; protocol 2 in "):
        pair_rows(cells(), right)
    right = cells()
    for record in right:
        assert record.protocol is not None
        record.protocol.sampler["steps"] = 50
    with pytest.raises(UserError, match="sampler.steps is 20 in A and 50 in B"):
        pair_rows(cells(), right)
    right = cells()
    for record in right:
        record.digests["base"] = "cd" * 32
    with pytest.raises(UserError, match="digests.base is"):
        pair_rows(cells(), right)
    right = cells()
    for record in right:
        record.metrics["fd_judge"].label = "fd_judge_500"
    with pytest.raises(UserError, match="fd_judge's label is"):
        pair_rows(cells(), right)


def test_other_attacks_and_other_retrained_models_do_not_compare() -> None:
    sides = cells(), cells()
    for steps, side in zip((10, 5), sides, strict=True):
        for record in side:
            record.probe_settings["relearn"] = {"looks": [steps]}
    with pytest.raises(UserError, match=r"probe_settings.relearn.looks is \[10\] in A and \[5\] in B"):
        pair_rows(*sides)
    for record in sides[1]:
        # What one side alone was put under is no difference.
        record.probe_settings = {"resample": {"steps": 2}}
    assert pair_rows(*sides)
    for seed, side in enumerate(sides):
        for record in side:
            record.digests["retrain"] = f"{record.seeds.sample}"
            if record.seeds.sample == 2:
                record.digests["retrain"] = f"{record.seeds.sample + seed}"
    with pytest.raises(UserError, match='digests.retrain of seed 2 is "2" in A and "3" in B'):
        pair_rows(*sides)


def test_nothing_in_common_is_said() -> None:
    with pytest.raises(UserError, match="no task in common: A has digits_1; B has digits_8"):
        pair_rows(cells(), cells(task="digits_8"))
    with pytest.raises(UserError, match="no row of one name, or none with a seed that both have"):
        pair_rows(cells(seeds=(0,)), cells(seeds=(1,)))
    with pytest.raises(UserError, match="B has no row 'vdo'; did you mean 'vdu'"):
        pair_rows(cells(), cells(), [("vdu", "vdo")])


def test_one_missing_number_is_no_mean_and_says_why() -> None:
    right = cells()
    (gone,) = [record for record in right if record.cell_name == "digits_1/vdu/seed1"]
    gone.metrics["fd_judge"].estimate = Estimate(reason="too few samples")
    (lost,) = [record for record in right if record.cell_name == "digits_1/esd/seed1"]
    lost.status, lost.reason, lost.metrics = "diverged", "not finite", {}
    found = compare_records(cells(), right)
    assert the(found, "vdu", "fd_judge").change.reason == "B has no number for 1 of 3 seeds: too few samples"
    assert np.isnan(the(found, "esd", "pul").right)
    text = compared_markdown(found)
    assert "B, seed 1: diverged: not finite" in text
    assert "n/a" in text


def test_a_metric_of_some_seeds_is_compared_over_these_and_says_so() -> None:
    left, right = cells(), cells({"vdu": 0.4}, draw=1)
    for record in left:
        if record.seeds.sample == 2:
            del record.metrics["pul"]
    for record in right:
        if record.seeds.sample == 0 and record.method != "esd":
            del record.metrics["pul"]
    found = compare_records(left, right)
    assert the(found, "esd", "pul").seeds == (0, 1)
    one = the(found, "vdu", "pul")
    assert one.seeds == (1,)
    both = [
        [record.metrics["pul"].estimate.value for record in side if record.cell_name == "digits_1/vdu/seed1"]
        for side in (left, right)
    ]
    assert [[one.left], [one.right]] == both
    assert the(found, "vdu", "fd_judge").seeds == (0, 1, 2)
    text = compared_markdown(found)
    assert "- PUL: of seeds 0, 1 alone, which both were measured with" in text
    assert "- PUL: of seed 1 alone, which both were measured with" in text
    rows = list(csv.DictReader(io.StringIO(compared_csv(found))))
    assert {row["seeds"] for row in rows if row["row_a"] == "esd"} == {"0 1", "0 1 2"}
    # A cell that diverged is no such gap.
    (lost,) = [record for record in right if record.cell_name == "digits_1/vdu/seed1"]
    lost.status, lost.metrics = "diverged", {}
    assert the(compare_records(left, right), "vdu", "pul").change.reason == "B has no number for 1 of 1 seeds: diverged"
    for record in [*left, *right]:
        if record.method == "esd" and record.seeds.sample < 2:
            del record.metrics["pul"]
    found = compare_records(left, right)
    assert the(found, "esd", "pul").change.reason == "A has no number for 3 of 3 seeds: not measured"


def test_csv_has_every_metric_and_markdown_the_headline_ones() -> None:
    found = compare_records(cells(), cells({"vdu": 0.5}))
    rows = list(csv.DictReader(io.StringIO(compared_csv(found))))
    (pul,) = [row for row in rows if (row["row_a"], row["metric"]) == ("vdu", "pul")]
    assert float(pul["difference"]) == pytest.approx(float(pul["b"]) - float(pul["a"]))
    assert (pul["better"], pul["seeds"]) == ("A", "0 1 2")
    assert any(row["metric"] == "nfe_forward" for row in rows)
    assert "| time" not in compared_markdown(found)
    assert "| time" in compared_markdown(found, everything=True)


@pytest.mark.parametrize("width", [40, 60, 72, 120])
def test_no_terminal_cuts_a_number(width: int) -> None:
    found = compare_records(cells(), cells({"vdu": 0.5}))
    file = io.StringIO()
    print_compared(found, Console(file=file, width=width), everything=True)
    text = file.getvalue()
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    a, b, change = (f"{number:.1f}" for number in (the(found, "vdu", "pul").left, the(found, "vdu", "pul").right, -30))
    assert {a, b} <= set(text.replace(",", " ").split())
    assert change[:2] in text


def test_other_devices_are_said() -> None:
    records = cells()
    assert not any("made on" in note for one in compare_records(records, cells()) for note in one.notes)
    for record in records:
        record.environment |= {"device": "cuda:1", "device_name": "NVIDIA H200"}
    notes = [note for one in compare_records(cells(), records) for note in one.notes]
    assert set(notes) == {"A was made on cpu, B on NVIDIA H200: times and memory do not compare"}


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    left, right = write(cells(), tmp_path / "a"), write(cells({"vdu": 0.5}), tmp_path / "b")
    cli("compare", left, right, "--format", "markdown")
    assert "## digits_1: A vdu, B vdu, seeds 0-2" in capsys.readouterr().out
    cli("compare", left, "--row", "vdu=esd")
    assert "A vdu, B esd" in capsys.readouterr().out
    cli("compare", left, code=2)
    assert "two folders, or one and --row" in capsys.readouterr().err
    cli("compare", left, write(cells(task="digits_8"), tmp_path / "c"), code=2)
    said = capsys.readouterr().err
    assert said.startswith("vdu-bench: A and B have no task in common")
    assert said.count("\n") == 1


def test_tables_and_plots_of_several_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    left = write(cells(), tmp_path / "a")
    right = write([one for one in called(cells(), "vdu", "mine") if one.method == "vdu"], tmp_path / "b")
    cli("table", left, right, "--format", "markdown")
    text = capsys.readouterr().out
    assert "| vdu[mine] " in text
    assert "| vdu " in text
    cli("plot", left, right, code=2)
    assert "name the folder of the plots by --out" in capsys.readouterr().err
    again = write(cells({"vdu": 0.5}), tmp_path / "c")
    cli("table", left, again, code=2)
    said = capsys.readouterr().err
    assert f"{left}/records/digits_1/" in said
    assert f"{again}/records/digits_1/" in said
