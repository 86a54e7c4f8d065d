"""The tables of what a card showed: that the document shows what the command makes, and that it reads what is there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from gpu_tables import TABLES, memory, smoke

ROOT = Path(__file__).parents[2]
PHASES = json.loads((ROOT / "results" / "gpu" / "gpu.json").read_text(encoding="utf-8"))["phases"]


@pytest.mark.parametrize("phase", TABLES)
def test_the_document_shows_what_the_command_makes(phase: str) -> None:
    assert TABLES[phase](PHASES[phase]) in (ROOT / "docs" / "gpu.md").read_text(encoding="utf-8")


def test_outcomes_that_differ_are_added_up_over_the_questions() -> None:
    cell = {
        "outcomes_that_differ": {"forget": {"differ": 2, "of": 1000}, "junk": {"differ": 3, "of": 1000}},
        "cpu_and_here": {"fd_judge": [1.0, 2.0]},
        "unlearn_seconds": 1.0,
        "cpu_unlearn_seconds": 4.0,
        "sample_seconds": 2.0,
        "cpu_sample_seconds": 8.0,
    }
    row = smoke({"digits_1": {"result": {"cells": {"vdu": cell}}}}).splitlines()[-1]
    assert [one.strip() for one in row.strip("|").split("|")] == [
        "vdu",
        "5 of 2,000",
        "1.000, 2.000",
        "4.0, 1.0",
        "8.0, 2.0",
    ]


def test_a_card_that_is_too_small_is_said() -> None:
    found = {"batch": 64, "peak_gib": 30.0, "reserved_gib": 33.0, "24_gb_hold_it": False}
    assert memory({"salun": {"result": found}}).splitlines()[-1].endswith(" no |")
