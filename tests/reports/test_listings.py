"""What `list` and `show` print."""

from __future__ import annotations

from pathlib import Path

import pytest
import retrying

from vdu_bench.probes.probe import Probe
from vdu_bench.registry import Registry
from vdu_bench.reports.listings import description, listing, print_description, print_listing


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


def test_probes_are_listed_and_shown_with_their_settings(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert {"given", "pairs", "redraw", "relearn", "samples"} <= {row["name"] for row in listing("probes")}
    assert description("pairs")["models"] == ["text_to_image"]
    registry = Registry[type[Probe]]("probe")
    registry.add("retry", "retrying:Retry", Path(retrying.__file__))
    monkeypatch.setattr("vdu_bench.reports.listings.PROBES", registry)
    facts = description("retry")
    assert "steps" in {setting["name"] for setting in facts["settings"]}
    assert facts["needs"] == ["forget_images"]
    print_description(facts)
    assert "--set task.probe_settings.retry.NAME=VALUE" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["tasks", "methods", "probes", "metrics", "sources"])
def test_a_narrow_terminal_loses_no_title(
    kind: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "45")
    rows = listing(kind)
    print_listing(kind, rows)
    shown = capsys.readouterr().out
    words = " ".join(shown.split())
    for row in rows:
        assert " ".join(row["about"].split()) in words
    assert max(map(len, shown.splitlines())) <= 45


def test_a_narrow_terminal_cuts_no_choice_of_a_setting(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    print_description(description("vdu"))
    shown = capsys.readouterr().out
    assert "…" not in shown
    lines = [line.rstrip() for line in shown.splitlines()]
    assert "  range: constant | cosine" in lines
    assert max(map(len, lines[lines.index("steps") :])) <= 40


def test_brackets_in_a_setting_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    """A pattern of weights is to be copied from there."""
    setting = {"name": "weights", "default": "*attn2.to_[kv].weight", "range": "", "about": "see [/docs] of it"}
    print_description({"kind": "method", "name": "mine", "docstring": "Mine.", "settings": [setting]})
    said = capsys.readouterr().out
    assert "*attn2.to_[kv].weight" in said
    assert "[/docs]" in said
