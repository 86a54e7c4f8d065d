from __future__ import annotations

import io
import json
import re
from xml.etree import ElementTree

import pytest
from cells import cells
from rich.console import Console

from vdu_bench.reports.gate.formats import print_gate, render_gate, sentence, to_github, to_json, to_junit
from vdu_bench.reports.gate.pairing import Notice
from vdu_bench.reports.gate.verdicts import Comparison, compare


@pytest.fixture(scope="module")
def mixed() -> Comparison:
    """A loss, a gain, a perhaps, a broken cell with an ugly reason, a missing cell and an extra one."""
    new = cells({"vdu": 0.35, "esd": 0.05})
    for record in new:
        if record.method == "retrain":
            record.metrics["fd_judge"].estimate.value *= (1.01, 0.99, 3.0)[record.seeds.sample]
    broken = new[-1].model_copy(
        update={"status": "failed", "reason": "100%, \x1b[1m\nno: [bold]", "metrics": {}, "protocol": None}
    )
    new = [broken if record is new[-1] else record for record in new if record is not new[1]]
    return compare(cells(), [*new, cells(seeds=[7])[2]])


@pytest.fixture(scope="module")
def same() -> Comparison:
    return compare(cells(), cells())


def test_the_sentence_says_how_much_and_how_sure(mixed: Comparison) -> None:
    (worse,) = [verdict for verdict in mixed.verdicts if verdict.kind == "worse"]
    assert re.fullmatch(
        r"pul \d\d\.\d -> \d\d\.\d % over seeds 0-2: a loss of 1\d\.\d ± \d\.\d, 2 tolerated, p = 0\.0\d",
        sentence(worse),
    )


@pytest.mark.parametrize("width", [72, 80, 200])
def test_the_terminal_shows_every_kind_under_its_title(mixed: Comparison, width: int) -> None:
    file = io.StringIO()
    print_gate(mixed, Console(file=file, width=width))
    text = file.getvalue()
    places = [text.index(title) for title in ("Worse", "digits_1/vdu", "Perhaps worse", "Better", "gate failed:")]
    assert places == sorted(places)
    assert "[bold]" in text
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width


def test_a_narrow_terminal_has_sentences(mixed: Comparison) -> None:
    file = io.StringIO()
    print_gate(mixed, Console(file=file, width=40))
    text = " ".join(file.getvalue().split())
    for verdict in mixed.of_kind("worse") + mixed.of_kind("better"):
        assert f"{verdict.task}/{verdict.method}: {sentence(verdict)}" in text


def test_passing_is_one_line(same: Comparison) -> None:
    assert render_gate(same, "terminal") == (
        "gate passed: 19 numbers of 4 rows compared; 0 worse, 0 perhaps worse, 0 better\n"
    )
    assert to_github(same) == ""


def test_github_lines_are_well_formed(mixed: Comparison) -> None:
    lines = to_github(mixed).splitlines()
    assert len(lines) == sum(verdict.kind != "same" for verdict in mixed.verdicts) + len(mixed.notices)
    for line in lines:
        assert re.fullmatch(r"::(error|warning|notice) title=[^:,]+::\S.*", line), line
        assert not re.search(r"%(?!25|0A|0D|3A|2C)", line)
    errors = [line for line in lines if line.startswith("::error")]
    assert len(errors) == 3
    assert any("digits_1/vdu::pul" in line for line in errors)


def test_github_escapes_what_would_end_a_line() -> None:
    text = to_github(Comparison((), (Notice("a:b,c", "status", "50%\nof", worse=True),)))
    assert text == "::error title=vdu-bench check a%3Ab%2Cc::50%25%0Aof\n"


def test_junit_parses_and_counts(mixed: Comparison) -> None:
    root = ElementTree.fromstring(to_junit(mixed))
    assert root.tag == "testsuites"
    (suite,) = root
    cases = suite.findall("testcase")
    failures = [case for case in cases if case.find("failure") is not None]
    assert suite.get("tests") == root.get("tests") == str(len(cases))
    assert suite.get("failures") == str(len(failures)) == "3"
    assert ("digits_1.vdu", "pul") in {(case.get("classname"), case.get("name")) for case in failures}
    messages = [failure.get("message", "") for failure in root.iter("failure")]
    assert sum("failed now: 100%" in message for message in messages) == 1


def test_junit_of_a_pass_has_no_failure(same: Comparison) -> None:
    root = ElementTree.fromstring(to_junit(same))
    assert root.get("failures") == "0"
    assert root.get("tests") == "19"


def test_json_is_strict(mixed: Comparison, same: Comparison) -> None:
    found = json.loads(to_json(mixed), parse_constant=lambda name: pytest.fail(name))
    assert found["passed"] is False
    (worse,) = [verdict for verdict in found["verdicts"] if verdict["kind"] == "worse"]
    assert worse["metric"] == "pul"
    assert worse["tolerance"] == "2"
    assert json.loads(to_json(same))["passed"] is True
