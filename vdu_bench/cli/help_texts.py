"""What the parser says of commands: their docstrings as help, each paragraph on one line, and mistakes in values."""

from __future__ import annotations

import inspect
from typing import Any

import typer

from vdu_bench.reports.paragraphs import reflowed
from vdu_bench.wrong_values import in_words


def join_paragraphs(app: typer.Typer) -> None:
    """Have the terminal fold the help of all commands: typer keeps line breaks, which are the source's own."""
    for command in app.registered_commands:
        command.help = reflowed(inspect.cleandoc(command.help or inspect.getdoc(command.callback) or ""))
    for group in app.registered_groups:
        if group.typer_instance is not None:
            join_paragraphs(group.typer_instance)


def reword(error: Any) -> None:
    """Have a mistake that the parser found say it in our words, with the value: newer typers leave that to pydantic."""
    if "unexpected extra argument" in getattr(error, "message", ""):
        error.message += ". What an option lists is joined by commas, without spaces: --methods vdu,esd"
    mistakes = getattr(error.__cause__, "errors", None)
    if callable(mistakes) and hasattr(error, "message"):
        error.message = in_words(mistakes()[0])
