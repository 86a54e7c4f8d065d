"""Records in Python: frames, leaderboards, pictures, and what a notebook shows of them."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from cells import cells, result, write

import vdu_bench
from vdu_bench.api.pictures import swept_in
from vdu_bench.errors import UserError
from vdu_bench.measured import Matrix
from vdu_bench.records import Record


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return cells(seeds=(0, 1))


def test_a_folder_is_loaded_with_all_that_is_in_it(records: list[Record], tmp_path: Path) -> None:
    loaded = vdu_bench.load(write(records[:4], tmp_path / "one"), write(records[4:], tmp_path / "two"))
    assert len(loaded) == len(records) == 8
    assert {record.cell_name for record in loaded} == {record.cell_name for record in records}
    assert loaded[0].method == loaded.records[0].method
    assert repr(loaded) == "Results(8 records; digits_1: esd, original, retrain, vdu)"
    assert len(loaded.only(method="vdu")) == 2
    assert len(loaded.only("digits_8")) == 0
    assert loaded.failed == []
    with pytest.raises(UserError, match="is not a folder of records"):
        vdu_bench.load(tmp_path / "three")


def test_a_tilde_is_the_home_folder(records: list[Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write(records, tmp_path / "found")
    loaded = vdu_bench.load("~/found", store="~/store")
    assert len(loaded) == len(records)
    assert loaded.plot().save("~/figures")[0].parent == tmp_path / "figures"
    asked: list[Path] = []
    monkeypatch.setattr("vdu_bench.engine.export.models.export_model", lambda *given: asked.append(given[2]))
    assert loaded[:1].export("~/model") == tmp_path / "model"
    assert asked == [tmp_path / "model"]


def test_a_frame_has_a_row_for_each_number(records: list[Record]) -> None:
    frame = vdu_bench.Results(records).frame()
    assert len(frame) == sum(len(record.metrics) for record in records)
    row = frame[(frame.method == "vdu") & (frame.seed == 1) & (frame.metric == "pul")].iloc[0]
    own = next(record for record in records if record.method == "vdu" and record.seeds.sample == 1)
    assert row.value == own.metrics["pul"].estimate.value
    assert (row.unit, row.better, row.status) == ("%", "higher", "ok")


def test_a_leaderboard_is_a_frame_of_means(records: list[Record]) -> None:
    failed = records[0].model_copy(
        update={"method": "nobody", "role": "contestant", "status": "failed", "reason": "why", "metrics": {}}
    )
    board = vdu_bench.Results([*records, failed]).leaderboard()
    values = [record.metrics["fd_judge"].estimate.value for record in records if record.method == "vdu"]
    assert board.loc[("digits_1", "vdu"), "fd_judge"] == pytest.approx(sum(values) / 2)
    assert board.loc[("digits_1", "vdu"), "seeds"] == 2
    assert board.loc[("digits_1", "nobody"), "status"] == "failed"
    assert math.isnan(board.loc[("digits_1", "nobody"), "pul"])
    assert not board.loc[("digits_1", "vdu"), "destroyed"]
    assert vdu_bench.Results([*records, failed]).failed == ["digits_1/nobody/seed0"]
    # Whoever forgot most stands first, behind the references.
    contestants = [method for _, method in board.index if method in ("vdu", "esd")]
    pul = board["pul"].xs("digits_1")
    assert pul[contestants[0]] >= pul[contestants[1]]


def test_a_notebook_s_table_is_escaped(records: list[Record]) -> None:
    nasty = [record.model_copy(update={"method": "<script>alert(1)</script>"}) for record in records[-1:]]
    text = vdu_bench.Results([*records, *nasty])._repr_html_()
    assert text.count("<table>") == 1
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert '<th scope="row"><i>original</i></th>' in text
    assert text.count("<th>") == 0
    assert vdu_bench.Results([])._repr_html_() == "<p>no records</p>"


def test_pictures_of_a_kind(records: list[Record], tmp_path: Path) -> None:
    found = vdu_bench.Results(records, tmp_path / "store")
    pictures = found.plot()
    assert set(pictures.files) == {"digits_1_tradeoff.png", "digits_1_tradeoff.pdf"}
    assert pictures.files["digits_1_tradeoff.png"].startswith(b"\x89PNG")
    assert '<img alt="digits_1_tradeoff"' in pictures._repr_html_()
    assert ".pdf" not in pictures._repr_html_()
    assert [file.name for file in pictures.save(tmp_path / "out")] == list(pictures.files)
    for kind in ("sweep", "forget_images", "nonsense"):
        with pytest.raises(UserError, match=f"no picture of the kind '{kind}'"):
            found.plot(kind)


def test_samples_that_the_store_lacks_are_not_the_records_fault(records: list[Record], tmp_path: Path) -> None:
    drawn = [record.model_copy(update={"stages": {"samples": "ab" * 32, "unlearned": "cd" * 32}}) for record in records]
    found = vdu_bench.Results(drawn, tmp_path / "store")
    with pytest.raises(
        UserError, match="no sample grid: the store .* has no samples of the original; name .* by store="
    ):
        found.plot("samples")
    assert list(vdu_bench.Results([], tmp_path / "store").leaderboard().columns) == ["seeds", "status", "destroyed"]


def test_a_curve_is_drawn_of_what_was_put_under_attack(records: list[Record]) -> None:
    ways = [[0.0, 40.0, 60.0]]
    matrix = Matrix(rows=["forget images"], columns=["0", "10", "20"], unit="%", before=ways, after=ways)
    rate = result("relearn_rate", 60.0)
    attacked = [
        record.model_copy(
            update={"matrices": {"relearn_rate": matrix}, "metrics": {**record.metrics, "relearn_rate": rate}}
        )
        for record in records
    ]
    pictures = vdu_bench.Results(attacked).plot("curve")
    assert set(pictures.files) == {"digits_1_relearn_rate_curve.png", "digits_1_relearn_rate_curve.pdf"}


def test_a_sweep_is_known_by_the_one_setting_that_differs(records: list[Record]) -> None:
    swept = []
    for record in records:
        for steps in (10, 40) if record.method == "vdu" else (40,):
            metrics = {**record.metrics, "pul": result("pul", 50.0 + steps)}
            changes = {"steps": steps} if steps != 40 else {}
            update = {"settings": {"steps": steps}, "method_changes": changes, "metrics": metrics}
            swept.append(record.model_copy(update=update))
    assert swept_in(swept) == {"vdu": "steps"}
    assert "digits_1_sweep_steps.png" in vdu_bench.Results(swept).plot("sweep").files
    both = [*swept, swept[-1].model_copy(update={"settings": {"steps": 7, "gamma": 1}})]
    assert swept_in(both).get("vdu", "steps") == "steps"
