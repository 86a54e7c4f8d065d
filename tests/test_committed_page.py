"""The page that the repository has is of the records that it has."""

from __future__ import annotations

import re
from pathlib import Path

from vdu_bench import __version__
from vdu_bench.records import read_records

RESULTS = Path(__file__).parent.parent / "results"
PAGE = RESULTS / "page" / "index.html"


def test_it_carries_the_notices_of_the_libraries_in_it() -> None:
    text = PAGE.read_text(encoding="utf-8")
    notices = (RESULTS.parent / "vdu_bench" / "reports" / "page" / "assets" / "notices.txt").read_text(encoding="utf-8")
    assert f"<!--\n{notices.rstrip()}\n-->\n" in text


def test_it_is_light_and_has_all_records_of_this_version() -> None:
    assert PAGE.stat().st_size < 5_000_000
    (told,) = re.findall(
        r">(\d+) records of (\d+) tasks, made by vdu-bench ([\d.]+)<", PAGE.read_text(encoding="utf-8")
    )
    records = read_records(RESULTS / "reference", RESULTS / "data")
    assert told == (str(len(records)), str(len({record.variant for record in records})), __version__)
