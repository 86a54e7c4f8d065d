"""What stands out in a table: the best, who is not told from it, who is destroyed, and in which order they come."""

from __future__ import annotations

import io
import itertools
import json
import math
import re

import pandas as pd
import pytest
from cells import cells
from rich.console import Console

from vdu_bench.measured import AtOwnCount, Estimate
from vdu_bench.records import Record
from vdu_bench.reports.layouts import render_table
from vdu_bench.reports.tables.leaderboard import Leaderboard, leaderboards
from vdu_bench.reports.tables.notes import table_notes
from vdu_bench.reports.tables.render import render
from vdu_bench.reports.tables.terminal import print_leaderboards

LIMITS = {"ratio": 2.0, "points": 10.0}
"""The original's distance is 21.5, its junk 3 %."""


def limited(records: list[Record], limits: dict[str, float] | None = None) -> list[Record]:
    """Made-up records of protocol 2: distance and junk are held against the original's."""
    for record in records:
        record.protocol.version, record.protocol.limits = 2, LIMITS if limits is None else limits
        for name, limit in (("fd_judge", "ratio"), ("junk_rate", "points")):
            record.metrics[name] = record.metrics[name].model_copy(update={"limit": limit})
    return records


def with_value(records: list[Record], method: str, metric: str, value: float) -> list[Record]:
    for record in records:
        if record.method == method:
            record.metrics[metric].estimate.value = value
    return records


def wrecked() -> list[Record]:
    """``wreck`` leaves nothing of the concept, and nothing but junk; ``esd`` and ``vdu`` cannot be told apart."""
    records = limited(cells({"wreck": 0.0, "vdu": 0.2, "esd": 0.21, "finetune": 0.8}))
    return with_value(records, "wreck", "junk_rate", 100.0)


def the_board(records: list[Record]) -> Leaderboard:
    (board,) = leaderboards(records)
    return board


def names(board: Leaderboard) -> list[str]:
    return [row.method for row in board.rows]


def test_a_model_that_makes_junk_is_destroyed_and_competes_for_nothing():
    board = the_board(wrecked())
    (found,) = board.destroyed["wreck"]
    assert set(board.destroyed) == {"wreck"}
    assert (found.metric, found.value, found.bound) == ("junk_rate", 100.0, pytest.approx(found.original + 10))
    assert "wreck" not in board.front
    assert all("wreck" not in (group.best, *group.tied) for group in board.best.values())
    # Without the limit it would lead the table, be the best and on the front.
    free = the_board(limited(wrecked(), {}))
    assert (free.best["pul"].best, names(free)[2]) == ("wreck", "wreck")
    assert "wreck" in free.front
    assert names(board) == ["retrain", "original", "vdu", "esd", "finetune", "wreck"]


def test_a_distance_is_held_against_so_many_times_the_original_s():
    records = limited(cells())
    mean = sum(r.metrics["fd_judge"].estimate.value for r in records if r.method == "original") / 3
    assert not the_board(with_value(records, "vdu", "fd_judge", 1.999 * mean)).destroyed
    (found,) = the_board(with_value(records, "vdu", "fd_judge", 2.001 * mean)).destroyed["vdu"]
    assert (found.metric, found.bound, found.original) == ("fd_judge", pytest.approx(2 * mean), pytest.approx(mean))


def test_who_has_no_number_is_beyond_the_limit_in_json_too():
    records = with_value(limited(cells()), "vdu", "fd_judge", math.nan)
    assert the_board(records).destroyed
    (written,) = json.loads(render(records, "json"))
    (vdu,) = [row for row in written["rows"] if row["method"] == "vdu"]
    assert vdu["destroyed"][0]["value"] is None


def test_references_are_never_judged_and_protocol_1_judges_nobody():
    records = with_value(with_value(limited(cells()), "retrain", "fd_judge", 1e4), "vdu", "fd_judge", 1e4)
    assert set(the_board(records).destroyed) == {"vdu"}
    for record in records:
        record.protocol.version, record.protocol.limits = 1, {}
    assert the_board(records).destroyed == {}


def test_without_the_original_nobody_is_judged_and_the_table_says_so():
    board = the_board([record for record in wrecked() if record.method != "original"])
    assert board.destroyed == {}
    assert any("no row is held against the quality limit" in note for note in table_notes(board))


def test_the_mean_decides_what_is_bold_and_the_test_what_has_a_dagger():
    """The best mean is bold though it scatters wildly, and not the steady one behind it, which carries the dagger."""
    records = cells({"vdu": 0.2, "esd": 0.21, "finetune": 0.8})
    steady, wild = [287.0, 270.0, 304.0], [90.0, 130.0, 500.0]
    for record in records:
        for method, values in (("vdu", wild), ("esd", steady), ("finetune", [900.0, 905.0, 910.0])):
            if record.method == method:
                record.metrics["fd_judge"].estimate.value = values[record.seeds.sample]
    group = the_board(records).best["fd_judge"]
    assert group.best == "vdu"
    assert "esd" in group.tied
    assert the_board(records).best["pul"].tied == {"esd"}


def test_adding_a_method_never_reorders_the_others():
    """For every subset of the methods, in either group, on the front or off it."""
    methods = {"a": 0.05, "b": 0.2, "c": 0.4, "d": 0.9}
    records = limited(cells(methods))
    for method, distance in (("a", 400.0), ("b", 30.0), ("c", 12.0), ("d", 300.0)):
        with_value(records, method, "fd_judge", distance)
    whole = [method for method in names(the_board(records)) if method in methods]
    assert whole == ["b", "c", "a", "d"]
    paper = re.findall(r"^\| (\w)[ |]", render_table(records, "paper", "markdown"), flags=re.MULTILINE)
    assert paper == whole
    for size in range(1, len(methods)):
        for some in itertools.combinations(methods, size):
            few = [record for record in records if record.method not in methods or record.method in some]
            order = [method for method in names(the_board(few)) if method in methods]
            assert order == [method for method in whole if method in some]


def test_references_stand_first_in_one_order_whatever_their_numbers():
    records = limited([*cells(), *real()])
    assert names(the_board(records))[:3] == ["real", "retrain", "original"]
    assert names(the_board(with_value(records, "original", "pul", 100.0)))[:3] == ["real", "retrain", "original"]


def test_a_hair_beyond_the_limit_is_shown_with_the_digits_that_tell():
    records = with_value(limited(cells({"near": 0.2}), {"ratio": 1.0}), "original", "fd_judge", 22.912)
    markdown = render(with_value(records, "near", "fd_judge", 22.934), "markdown")
    assert "near has destroyed the model: fd_judge_2000 22.934, limit 22.912 (original: 22.912)" in markdown


def test_a_metric_of_some_seeds_is_told_of_them_and_contested_over_them():
    records = cells()
    for record in records:
        if record.seeds.sample == 2:
            record.metrics.pop("pul", None)
    board = the_board(records)
    assert board.partly == {"pul": (0, 1)}
    assert board.best["pul"] == the_board([record for record in cells() if record.seeds.sample < 2]).best["pul"]
    assert "- PUL: measured with seeds 0, 1 alone" in render(records, "markdown")


def test_marks_in_every_format():
    records = wrecked()
    markdown = render(records, "markdown")
    assert re.search(r"\| wreck ⊗ +\| +100\.0 ", markdown)
    assert re.search(r"\| vdu ◇ +\| +\*\*[78]\d\.\d", markdown)
    assert re.search(r"\| esd( ◇)? +\| +\d\d\.\d( \[.*?\])?† \|", markdown)
    assert "- ⊗ wreck has destroyed the model: junk_rate 100.0 %, limit 13." in markdown
    latex = render(records, "latex")
    assert r"wreck $\otimes$ &" in latex
    assert re.search(r"vdu \$\\diamond\$ & .*?\\textbf\{[78]\d\.\d\}", latex)
    assert re.search(r"esd .*?& .*?\d\d\.\d\$\^\\dagger\$", latex)
    assert r"$\otimes$ wreck has destroyed the model" in latex
    frame = pd.read_csv(io.StringIO(render(records, "csv")), keep_default_na=False).set_index("method")
    assert dict(frame.destroyed) == {method: method == "wreck" for method in frame.index}
    assert dict(frame.pul_best) == {m: {"vdu": "best", "esd": "tied"}.get(m, "") for m in frame.index}
    assert "nfe_forward_best" not in frame
    (board,) = json.loads(render(records, "json"))
    assert board["best"]["pul"] == {"best": "vdu", "tied": ["esd"]}
    stream = io.StringIO()
    print_leaderboards(leaderboards(records), Console(file=stream, width=140, force_terminal=True))
    text = stream.getvalue()
    assert re.search(r"\x1b\[1m *[78]\d\.\d", text)
    assert "⊗ wreck has destroyed the model" in text
    assert "†" in text


def test_marks_in_the_paper_s_table():
    records = wrecked()
    markdown = render_table(records, "paper", "markdown")
    assert re.search(r"\| wreck +\| +100\.0( \[.*?\])?⊗ \| +\d+\.\d \[\d+\.\d+, \d+\.\d+\]⊗ \|", markdown)
    assert re.search(r"\| esd +\| +\d\d\.\d \[\d+\.\d, \d+\.\d\]† \|", markdown)
    assert "⊗ wreck has destroyed the model: junk_rate 100.0 %" in markdown
    latex = render_table(records, "paper", "latex")
    assert re.search(r"wreck & \$100\.0.*?\$\$\\otimes\$", latex)
    frame = pd.read_csv(io.StringIO(render_table(records, "paper", "csv")), keep_default_na=False).set_index("method")
    assert frame.loc["wreck", "digits_1/destroyed"]
    assert not frame.loc["esd", "digits_1/destroyed"]
    assert frame.loc["esd", "digits_1/pul_best"] == "tied"
    assert frame.loc["vdu", "digits_1/pul_best"] == "best"


def real() -> list[Record]:
    """Held-out images: fewer than samples, so that their distance has no place in the column."""
    records = [
        record.model_copy(update={"method": "real"}, deep=True) for record in cells() if record.method == "retrain"
    ]
    for record in records:
        record.metrics["fd_judge"].estimate = Estimate(reason="there are 450 real images")
        record.at_own_count["fd_judge"] = AtOwnCount(
            label="fd_judge_450",
            real=Estimate(value=5.0 + record.seeds.sample, n=450),
            original=Estimate(value=81.0, n=450),
        )
    return records


@pytest.mark.parametrize(("seeds", "mean"), [((0,), "5"), ((0, 1, 2), "6")])
def test_a_distance_of_another_count_stands_beside_the_original_s_and_in_no_column(seeds, mean):
    records = [record for record in [*limited(cells()), *real()] if record.seeds.sample in seeds]
    board = the_board(limited(records))
    assert {column.name: column.label for column in board.columns}["fd_judge"] == "fd_judge_2000"
    assert re.search(r"\| real +\| +99\.5( \[.*?\])? \| +— \|", render(records, "markdown"))
    (note,) = [note for note in table_notes(board) if note.startswith("real: ")]
    assert note == f"real: fd_judge_450 {mean}, the original's at this count 81"
    assert board.rows[0].estimates.get("fd_judge") is None
    (written,) = json.loads(render(records, "json"))
    assert written["rows"][0]["apart"]["fd_judge"]["original"]["value"] == 81.0


def test_the_table_says_how_many_trainings_and_seeds_there_are():
    records = cells(seeds=range(5))
    assert "retrain and original: one training each" in table_notes(the_board(records))
    for record in records:
        if record.method == "retrain":
            record.seeds = record.seeds.model_copy(update={"train": record.seeds.sample % 3})
    notes = table_notes(the_board(records))
    assert "retrain: 3 trainings over 5 seeds; original: one training" in notes
    assert not any("seeds a row" in note for note in notes)
    few = [record for record in records if record.method != "esd" or record.seeds.sample < 2]
    assert "5 seeds a row, but esd: 2" in table_notes(the_board(few))
    assert "3 seeds a row" in table_notes(the_board(cells()))


def test_the_table_says_who_was_made_on_which_device():
    records = cells()
    assert not any("devices" in note for note in table_notes(the_board(records)))
    for record in records:
        if (record.method, record.seeds.sample) in (("vdu", 0), ("esd", 0), ("esd", 1), ("esd", 2)):
            record.environment["device"] = "cuda"
    (note,) = [note for note in table_notes(the_board(records)) if "devices" in note]
    assert note.startswith("made on several devices, whose times and memory do not compare (")
    assert "cuda: esd, vdu" in note
    assert "cpu: original, retrain, vdu" in note


def test_the_table_says_who_was_made_by_which_version():
    records = cells()
    for record in records:
        record.environment |= {"vdu_bench": "0.2.0"}
    assert not any("versions" in note for note in table_notes(the_board(records)))
    for record in records:
        if record.method == "vdu":
            record.environment = {"vdu_bench": "0.3.0", "packages": {"torch": "2.20.0"}}
        if record.method == "esd":
            record.environment = {"packages": "none that a table could read"}
    (note,) = [note for note in table_notes(the_board(records)) if "versions" in note]
    assert note == (
        "made by several versions, which may round otherwise (vdu-bench 0.2.0 and torch 2.9.1: original, retrain; "
        "vdu-bench 0.3.0 and torch 2.20.0: vdu)"
    )


@pytest.mark.parametrize("form", ["markdown", "latex", "csv", "json", "terminal"])
def test_settings_and_how_they_were_come_by(form):
    records = cells()
    for record in records:
        record.settings_from = "tuned" if record.method == "vdu" else "default"
        record.settings_changed = {"gamma": 0.9, "weights": "all"} if record.method == "vdu" else {}

    def text(settings: bool) -> str:
        if form != "terminal":
            return render(records, form, settings)
        stream = io.StringIO()
        print_leaderboards(leaderboards(records), Console(file=stream, width=200), settings)
        return stream.getvalue()

    shown = text(True)
    assert "tuned" in shown
    assert "gamma=0.9" in shown or json.loads(shown)[0]["rows"][2]["settings"] == {"gamma": 0.9, "weights": "all"}
    assert form == "json" or "tuned" not in text(False)


def test_every_layout_shows_settings():
    records = cells()
    for record in records:
        record.settings_from, record.settings_changed = "published", {"eta": 0.5}
    assert "- digits_1: esd: eta=0.5 (published)" in render_table(records, "paper", "markdown", settings=True)
    for layout in ("paper", "long"):
        assert "published" in render_table(records, layout, "csv", settings=True)
        assert "published" not in render_table(records, layout, "csv")
