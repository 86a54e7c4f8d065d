"""A file that says what a command line would: `--config exp.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from vdu_bench.errors import UserError, did_you_mean

FILE = "vdu_bench.config"
"""Where a command's context keeps the file."""
SETTINGS = "vdu_bench.settings"
"""Where a command's context keeps the settings that its file gives inline."""


def read_config(context: Any, file: Path | None) -> Path | None:
    """Make what the file says the defaults of a command's options. The command line goes over it.

    Keys are the names of options without their dashes. A list stands for what has commas between on the command line,
    or for an option that may be repeated; ``settings`` may be a mapping, as a settings file holds it.

    Raises:
        UserError: the file cannot be read, a key is no option, or a value is a mapping, or no flag where one is asked
            for. What else is wrong with a value the parser finds (`blamed`).
    """
    if file is None:
        return None
    from vdu_bench.tasks.task_files import read_yaml_mapping

    options = {name: one for one in context.command.params for name in _names(one) if name not in ("config", "help")}
    defaults: dict[str, Any] = {}
    for key, value in read_yaml_mapping(file, "configuration").items():
        if key not in options:
            raise UserError(f"{file}: there is no option {key!r}{did_you_mean(str(key), options)}")
        if key == "settings" and isinstance(value, Mapping):
            context.meta[SETTINGS] = dict(value)
        elif value is not None:
            defaults[options[key].name] = _given(file, key, value, options[key])
    context.meta[FILE] = file
    context.default_map = {**(context.default_map or {}), **defaults}
    return file


Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        is_eager=True,
        callback=read_config,
        help="A YAML file with any of these options, by their names without dashes: {task: digits_1, methods: \\[vdu, "
        "esd], seeds: 0-4}. The command line goes over it.",
    ),
]


def inline_settings(context: Any, file: Path | None) -> dict[str, Any]:
    """The settings that a command's file gives inline; none where a settings file is named in their place."""
    found: dict[str, Any] = {} if file is not None else context.meta.get(SETTINGS, {})
    return found


def blamed(error: Any) -> Path | None:
    """The file that gave the value which the parser's `error` is about; None where the command line did."""
    context, option = getattr(error, "ctx", None), getattr(error, "param", None)
    if context is None or option is None or FILE not in context.meta:
        return None
    source = context.get_parameter_source(option.name)
    file: Path | None = context.meta[FILE] if source is not None and source.name == "DEFAULT_MAP" else None
    return file


def _names(option: Any) -> list[str]:
    return [name.removeprefix("--") for name in option.opts if name.startswith("--")]


def _given(file: Path, key: str, value: Any, option: Any) -> Any:
    """A value of the file as a command line would give it. Raises UserError."""
    if isinstance(value, list):
        plain: Any = [str(one) for one in value]
        plain = plain if option.multiple else ",".join(plain)
    elif isinstance(value, bool | Mapping):
        plain = value
    else:
        plain = [str(value)] if option.multiple else str(value)
    if isinstance(value, bool) != bool(option.is_flag) or isinstance(value, Mapping):
        kind = "true or false" if option.is_flag else "a text, a number or a list"
        raise UserError(f"{file}: {key} is {kind}, not {value!r}")
    return plain
