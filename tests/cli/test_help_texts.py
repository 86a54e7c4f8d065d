"""What --help prints: nothing that the markup swallows, and paragraphs that the terminal folds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer.main
from commands import cli
from rich.text import Text

from vdu_bench.cli.main import app


def commands(one: Any, name: str = "vdu-bench") -> Iterator[tuple[str, Any]]:
    yield name, one
    for word, inner in getattr(one, "commands", {}).items():
        yield from commands(inner, f"{name} {word}")


ALL = dict(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("name", ALL)
def test_a_bracket_is_shown_and_not_taken_for_markup(name: str) -> None:
    for text in (ALL[name].help, *(option.help for option in ALL[name].params if getattr(option, "help", None))):
        shown = Text.from_markup(text or "")
        assert {str(span.style) for span in shown.spans} <= {"bold"}, text


@pytest.mark.parametrize("name", [name for name in ALL if " " in name])
def test_a_paragraph_is_one_line_and_an_example_keeps_its_own(name: str) -> None:
    paragraphs = ALL[name].help.split("\n\n")
    assert all("\n" not in one for one in paragraphs)
    assert all(one.startswith("  ") for one in paragraphs if one.lstrip().startswith(("vdu-bench ", "torchrun ")))


def test_the_help_of_a_list_in_a_configuration(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    cli("run", "--help")
    assert "methods: [vdu, esd], seeds: 0-4}" in " ".join(capsys.readouterr().out.replace("│", " ").split())


@pytest.mark.parametrize("name", ["evaluate", "prepare"])
def test_what_takes_one_device_and_no_method_does_not_speak_of_more(name: str) -> None:
    options = {option.opts[0]: option.help for option in ALL[f"vdu-bench {name}"].params}
    assert "--jobs" not in options
    assert "--jobs" not in options["--device"]
    assert options["--set"] == "A setting of the task, task.NAME=VALUE; may be repeated."


def test_who_writes_a_list_with_spaces_is_told_of_commas(capsys: pytest.CaptureFixture[str]) -> None:
    cli("run", "--task", "digits_1", "--methods", "vdu", "esd", code=2)
    said = " ".join(capsys.readouterr().err.split())
    assert "(esd). What an option lists is joined by commas, without spaces: --methods vdu,esd" in said
