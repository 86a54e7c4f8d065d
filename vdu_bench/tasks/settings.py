"""Settings from the command line and from files: ``vdu.gamma=0.3`` and ``{vdu: {gamma: 0.3}}`` say the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from vdu_bench.errors import UserError
from vdu_bench.tasks.loading import merged, read_yaml_mapping


def read_settings(assignments: Sequence[str], file: Path | None) -> dict[str, dict[str, Any]]:
    """By owner (a method's name, or ``task``), the settings given; assignments go over the file.

    A value is read as YAML (``0.3``, ``true``, ``null``, ``[1, 2]``); in a name, further dots reach into mappings.

    Raises:
        UserError: an assignment or the file is malformed.
    """
    settings = _from_file(file) if file is not None else {}
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        words = path.strip().split(".")
        if not equals or len(words) < 2 or not all(words):
            raise UserError(f"--set {assignment!r}: write OWNER.NAME=VALUE, such as vdu.gamma=0.3 or task.samples=500")
        try:
            # A star begins an alias in YAML, and there is nothing here to be one of: it is a pattern's.
            value: Any = text.strip() if text.lstrip().startswith("*") else yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise UserError(f"--set {assignment!r}: the value is not YAML") from error
        for word in reversed(words):
            value = {word: value}
        settings = merged(settings, value)
    return settings


def _from_file(file: Path) -> dict[str, Any]:
    content = read_yaml_mapping(file, "settings file")
    for owner, own in content.items():
        if not isinstance(own, dict):
            raise UserError(f"the settings file {file} is malformed: {owner}: it must be a mapping of names to values")
    return content
