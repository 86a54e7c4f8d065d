"""What --help prints of commands: their docstrings, each paragraph on one line."""

from __future__ import annotations

import inspect

import typer

from vdu_bench.reports.paragraphs import reflowed


def join_paragraphs(app: typer.Typer) -> None:
    """Have the terminal fold the help of all commands: typer keeps line breaks, which are the source's own."""
    for command in app.registered_commands:
        command.help = reflowed(inspect.cleandoc(command.help or inspect.getdoc(command.callback) or ""))
    for group in app.registered_groups:
        if group.typer_instance is not None:
            join_paragraphs(group.typer_instance)
