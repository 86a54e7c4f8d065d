"""A ~ for the home folder in any path of a command line, where no shell made it one: as in --out=~/found."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer


def expand_home(app: typer.Typer) -> None:
    """Have all commands be given paths without a ~."""
    for command in app.registered_commands:
        if command.callback is not None:
            command.callback = _expanding(command.callback)
    for group in app.registered_groups:
        if group.typer_instance is not None:
            expand_home(group.typer_instance)


def _expanding(command: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(command)
    def run(*args: Any, **options: Any) -> Any:
        return command(*args, **{name: _expanded(value) for name, value in options.items()})

    return run


def _expanded(value: Any) -> Any:
    if isinstance(value, Path):
        # Path's own method raises where there is no such user.
        return Path(os.path.expanduser(value))
    return [_expanded(one) for one in value] if isinstance(value, list) else value
