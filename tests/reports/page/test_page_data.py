"""What a page holds: samples, curves, and nothing that could be markup."""

from __future__ import annotations

import base64
import gzip
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hostile import END, IMAGE, SCRIPT
from numpy.typing import NDArray
from PIL import Image

from vdu_bench.measured import Matrix
from vdu_bench.records import Record
from vdu_bench.reports.page.details import details_data
from vdu_bench.reports.page.packing import number, packed
from vdu_bench.reports.page.strips import chosen, strip
from vdu_bench.reports.page.sweeps import matrix_curves, series, swept
from vdu_bench.reports.tables.leaderboard import leaderboards


def test_packed_is_the_same_each_time_and_no_markup() -> None:
    data = {"name": SCRIPT, "other": END}
    text = packed(data)
    assert text == packed(data)
    assert not set(text) & set("<>&\"'")
    assert json.loads(gzip.decompress(base64.b64decode(text))) == data


def test_what_is_not_finite_is_none() -> None:
    assert [number(value) for value in (float("nan"), float("inf"), None, 1 / 3)] == [None, None, None, 0.333333]
    with pytest.raises(ValueError, match="not JSON compliant|Out of range"):
        packed(float("nan"))


def test_a_strip_shows_first_where_the_original_shows_the_concept() -> None:
    assert chosen(np.arange(20) % 2 == 0) == [0, 2, 4, 6, 8, 10, 1, 3]
    assert chosen(np.ones(20, dtype=bool)) == [0, 1, 2, 3, 4, 5, 6, 7]
    assert chosen(np.zeros(5, dtype=bool)) == [0, 1, 2, 3, 4]


def test_a_strip_of_small_samples_loses_nothing() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 8), dtype=np.uint8)
    kind, _, content = strip(images).partition(",")
    assert kind == "data:image/png;base64"
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(base64.b64decode(content)))), np.hstack(list(images)))


def test_samples_of_a_cell_are_beside_the_originals_of_the_same_noise(shown_records: list[Record]) -> None:
    asked = []

    def samples(address: str, picks: Sequence[int]) -> NDArray[np.uint8]:
        asked.append((address, list(picks)))
        return np.zeros((len(picks), 8, 8), dtype=np.uint8)

    (board,) = leaderboards(shown_records)
    found = details_data(board, shown_records, samples)
    picks = [0, 2, 4, 6, 8, 10, 1, 3]
    assert set(map(str, asked)) == {str((address, picks)) for address in ("original-samples", "vdu-samples")}
    (cell,) = found["rows"]["vdu"]["cells"]
    assert cell["samples"]["shown"] == [[True] * 6 + [False] * 2, [pick == 4 for pick in picks]]
    assert cell["samples"]["before"] in found["befores"]


def test_rows_that_differ_in_one_setting_are_a_curve(page_records: list[Record]) -> None:
    firsts = {record.row: record for record in page_records if record.variant == "digits_1" and record.status == "ok"}
    (curve,) = [one for one in swept(firsts) if one["name"] == "vdu"]
    assert curve["setting"] == "steps"
    assert curve["points"] == [(15, "vdu[steps=15]"), (60, "vdu"), (120, "vdu[steps=120]")]


def test_metrics_that_differ_in_a_number_are_a_series(page_records: list[Record]) -> None:
    board = next(board for board in leaderboards(page_records) if board.variant == "digits_1")
    (one,) = series(board)
    assert one["title"] == "comes_back_N"
    assert [(place, board.columns[index].name) for place, index in one["places"]] == [
        (10.0, "comes_back_10"),
        (50.0, "comes_back_50"),
        (200.0, "comes_back_200"),
    ]


def test_a_matrix_over_numbers_is_a_curve(page_records: list[Record]) -> None:
    records = [record for record in page_records if record.variant == "digits_8"]
    (one,) = matrix_curves(records)
    assert (one["axis"], one["places"], one["before"]) == ("steps", [0.0, 100.0], [10.0, 10.0])
    rates = [record.metrics["concept_rate"].estimate.value for record in records if record.row == "vdu"]
    assert one["rows"]["vdu"] == [1.0, pytest.approx(np.mean(rates), rel=1e-5)]


def test_numbers_without_a_word_count_steps(make_record: Callable[..., Record]) -> None:
    record = make_record("vdu", 0)
    record.matrices["concept_rate"] = Matrix(
        rows=["5 images"], columns=["0", "40"], unit="%", before=[[9, 9]], after=[[0, 8]]
    )
    (one,) = matrix_curves([record])
    assert (one["axis"], one["places"]) == ("steps", [0.0, 40.0])


def test_names_of_records_are_nowhere_as_they_are(page_file: Path) -> None:
    text = page_file.read_text()
    assert all(name not in text for name in (SCRIPT, END, IMAGE))
    assert "http://" not in text.split("<script", 1)[0]


def test_a_page_carries_the_notices_of_the_libraries_in_it(page_file: Path) -> None:
    """Vega's licence asks for copyright, conditions and disclaimer; a comment's end in them would show the rest."""
    before = page_file.read_text(encoding="utf-8").partition('id="library-plotting"')[0]
    notices = before[before.rindex("<!--") + 4 : before.rindex("-->")]
    assert "--" not in notices
    for said in ("University of Washington Interactive Data Lab", "Redistributions in binary form", "AS IS", "ISC"):
        assert said in notices


@pytest.mark.usefixtures("libraries")
def test_a_page_is_the_same_text_each_time(make_records: Callable[..., list[Record]]) -> None:
    from hostile import no_samples

    from vdu_bench.reports.page.page import page_text

    records = make_records()
    assert page_text(records, no_samples, "x") == page_text(records[::-1], no_samples, "x")
