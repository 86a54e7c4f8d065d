"""What `list` and `show` print."""

from __future__ import annotations

import pytest

from vdu_bench.reports.listings import print_description


def test_paragraphs_are_folded_by_the_terminal_and_formulas_are_not(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    docstring = "One line, and\nits end.\n\n    a = b\n      + c\n\nafter\nsomebody:\n\n- one\n- two"
    print_description({"kind": "metric", "name": "mine", "docstring": docstring})
    shown = capsys.readouterr().out
    assert shown.splitlines()[2:-1] == [
        "One line, and its end.",
        "",
        "    a = b",
        "      + c",
        "",
        "after somebody:",
        "",
        "- one",
        "- two",
    ]
