"""The gate's findings for the terminal, for programs, and for the pages of a CI."""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from xml.etree import ElementTree

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from vdu_bench.errors import flat
from vdu_bench.measured import Estimate
from vdu_bench.reports.gate.pairing import seeds_words
from vdu_bench.reports.gate.verdicts import ALPHA, Comparison, Verdict
from vdu_bench.reports.screen import fits
from vdu_bench.reports.tables.text import value_text

_FILE_WIDTH = 120
_NAME_WIDTH = 8
"""Below which a name, or a word, is no longer to be read in a column."""
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render_gate(comparison: Comparison, form: str) -> str:
    """The findings as text that ends with a newline; ``github`` is empty where there is nothing to annotate.

    Args:
        comparison: what the gate found.
        form: ``terminal``, ``json``, ``github`` or ``junit``.

    Raises:
        KeyError: for another form.
    """
    renderers = {"terminal": _to_text, "json": to_json, "github": to_github, "junit": to_junit}
    return renderers[form](comparison)


def print_gate(comparison: Comparison, console: Console) -> None:
    """What got worse, what may have, what got better, and what else is to be known, each under its own title."""
    titles = {
        "worse": Text("Worse", style="bold red"),
        "unsure": Text("Perhaps worse: beyond the tolerance, but chance may explain it; does not fail", style="bold"),
        "better": Text("Better", style="bold green"),
    }
    for kind, title in titles.items():
        if verdicts := [verdict for verdict in comparison.verdicts if verdict.kind == kind]:
            console.print(title)
            table = _table(verdicts)
            if fits(table, console):
                console.print(table)
                continue
            for one in verdicts:
                console.print(Text(f"{one.task}/{one.method}: {sentence(one)}"))
    for notice in sorted(comparison.notices, key=lambda notice: not notice.worse):
        # Text, since a reason may hold what rich would take for markup.
        console.print(Text(f"{notice.where}: {notice.text}", style="red" if notice.worse else ""))
    console.print(Text(summary(comparison), style="bold green" if comparison.passed else "bold red"))


def _to_text(comparison: Comparison) -> str:
    file = io.StringIO()
    print_gate(comparison, Console(file=file, width=_FILE_WIDTH))
    return file.getvalue()


def summary(comparison: Comparison) -> str:
    """One line: passed or failed, and the counts."""
    cells = {(verdict.task, verdict.method) for verdict in comparison.verdicts}
    lost = sum(notice.worse for notice in comparison.notices)
    counts = [f"{len(comparison.of_kind('worse'))} worse", f"{len(comparison.of_kind('unsure'))} perhaps worse"]
    counts += [f"{len(comparison.of_kind('better'))} better"]
    counts += [f"{lost} thing{'s' * (lost != 1)} lost or broken, told above"] if lost else []
    verdict = "passed" if comparison.passed else "failed"
    return f"gate {verdict}: {len(comparison.verdicts)} numbers of {len(cells)} rows compared; {', '.join(counts)}"


def sentence(verdict: Verdict) -> str:
    """What happened to a metric, on one line: values, seeds, by how much, and how sure."""
    unit = f" {verdict.unit}" if verdict.unit else ""
    change = "gain" if verdict.kind == "better" else "loss"
    old, new = _number(verdict.old, verdict), _number(verdict.new, verdict)
    return flat(
        f"{verdict.label} {old} -> {new}{unit} over {seeds_words(verdict.seeds)}: "
        f"a {change} of {' '.join(_change(verdict))}, {verdict.tolerance} tolerated, {_certainty(verdict)}"
    )


def to_json(comparison: Comparison) -> str:
    """``passed``, ``alpha``, ``verdicts`` and ``notices``; NaN is null, the tolerance text."""
    verdicts = [
        {name: _plain(value) for name, value in asdict(verdict).items()} | {"tolerance": str(verdict.tolerance)}
        for verdict in comparison.verdicts
    ]
    notices = [asdict(notice) for notice in comparison.notices]
    found = {"passed": comparison.passed, "alpha": ALPHA, "verdicts": verdicts, "notices": notices}
    return json.dumps(found, indent=1, allow_nan=False) + "\n"


def to_github(comparison: Comparison) -> str:
    """Workflow commands, a line for each finding: an error, a warning (perhaps worse) or a notice (better, and others).

    GitHub, "Workflow commands for GitHub Actions"; percent, line ends and, in a title, colon and comma are escaped.
    """
    commands = {"worse": "error", "unsure": "warning", "better": "notice"}
    lines = [
        _annotation(commands[verdict.kind], f"{verdict.task}/{verdict.method}", sentence(verdict))
        for verdict in comparison.verdicts
        if verdict.kind in commands
    ]
    lines += [
        _annotation("error" if notice.worse else "notice", notice.where, notice.text) for notice in comparison.notices
    ]
    return "".join(f"{line}\n" for line in lines)


def to_junit(comparison: Comparison) -> str:
    """JUnit's XML: a suite for each task, a case for each metric of a method, and one for each notice that is a loss.

    What is not a failure but worth reading is in a case's ``system-out`` (metrics) or the suite's (notices).
    """
    root = ElementTree.Element("testsuites", name="vdu-bench check")
    tasks = {verdict.task for verdict in comparison.verdicts}
    tasks |= {notice.where.split("/")[0] for notice in comparison.notices}
    for task in sorted(tasks):
        suite = ElementTree.SubElement(root, "testsuite", name=task)
        for verdict in comparison.verdicts:
            if verdict.task == task:
                _case(suite, f"{task}.{verdict.method}", verdict.label, sentence(verdict), verdict.kind)
        notices = [notice for notice in comparison.notices if notice.where.split("/")[0] == task]
        for notice in notices:
            if notice.worse:
                _case(suite, notice.where.replace("/", "."), notice.kind, notice.text, "worse")
        _write_text(suite, "system-out", "\n".join(f"{n.where}: {n.text}" for n in notices if not n.worse))
        for element in (suite, root):
            element.set("tests", str(len(list(element.iter("testcase")))))
            element.set("failures", str(len(list(element.iter("failure")))))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True).decode() + "\n"


def _case(suite: ElementTree.Element, place: str, name: str, text: str, kind: str) -> None:
    case = ElementTree.SubElement(suite, "testcase", classname=_xml(place), name=_xml(name))
    if kind == "worse":
        ElementTree.SubElement(case, "failure", message=_xml(text), type="worse")
    elif kind != "same":
        _write_text(case, "system-out", text)


def _write_text(parent: ElementTree.Element, tag: str, text: str) -> None:
    if text:
        ElementTree.SubElement(parent, tag).text = _xml(text)


def _xml(text: str) -> str:
    """Without the control characters that XML 1.0 cannot hold; a reason may quote a terminal's colours."""
    return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def _annotation(command: str, where: str, text: str) -> str:
    message = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    title = f"vdu-bench check {where}".replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return f"::{command} title={title.replace(':', '%3A').replace(',', '%2C')}::{message}"


def _table(verdicts: Sequence[Verdict]) -> Table:
    gain = all(verdict.kind == "better" for verdict in verdicts)
    rows = [
        [
            # Words may wrap, and names where there is no room; numbers may not.
            *(f"{verdict.task}/{verdict.method}", verdict.label.replace("_", " ")),
            *(_number(value, verdict) for value in (verdict.old, verdict.new)),
            *("\n".join(_change(verdict)), str(verdict.tolerance), _p_text(verdict.p_value)),
        ]
        for verdict in verdicts
    ]
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("cell", "metric"):
        table.add_column(name, overflow="fold", min_width=_NAME_WIDTH)
    names = ("reference", "new", "gain" if gain else "loss", "allowed", "p")
    for place, name in enumerate(names, 2):
        widest = max(len(line) for row in rows for line in [name, *row[place].split("\n")])
        table.add_column(name, justify="right", no_wrap=True, min_width=widest)
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _change(verdict: Verdict) -> list[str]:
    """The size of the loss or gain, half the width of its interval, and its share where a share is tolerated."""
    size = -verdict.loss if verdict.kind == "better" else verdict.loss
    parts = [_number(size, verdict)]
    if math.isfinite(verdict.margin):
        parts.append(f"± {_number(verdict.margin, verdict)}")
    if verdict.tolerance.relative and verdict.old:
        parts.append(f"({100 * size / abs(verdict.old):.0f}%)")
    return parts


def _number(value: float, verdict: Verdict) -> str:
    return value_text(Estimate(value=value), verdict.unit)


def _certainty(verdict: Verdict) -> str:
    text = _p_text(verdict.p_value)
    if not text:
        return "which alone decides"
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def _p_text(p_value: float) -> str:
    return "" if math.isnan(p_value) else "< 0.0001" if p_value < 1e-4 else f"{p_value:.2g}"


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
