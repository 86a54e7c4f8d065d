"""What task files say, as plain mappings: read, merged, and with the paths in them made absolute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from vdu_bench.errors import UserError
from vdu_bench.nested import merged
from vdu_bench.tasks.yaml_text import load_yaml

HERE = ("./", "../")
"""How a path begins that is seen from the file it stands in; other relative ones are hub ids, or have a place of their
own, such as the data folder."""


@dataclass(frozen=True)
class Draft:
    """A task as a file has it, not checked yet.

    Attributes:
        content: its keys and values, a family's common ones included.
        file: where it stands.
        prefix: what its keys are below in the file, for messages.
    """

    content: dict[str, Any]
    file: Path
    prefix: str = ""


def read_drafts(file: Path) -> list[Draft]:
    """The tasks of a file: either one task, or ``common:`` keys and ``tasks:`` that add to them.

    Raises UserError where the file cannot be read, is not YAML (the line is named), or is malformed.
    """
    content = read_yaml_mapping(file, "task file")
    if "tasks" not in content:
        return [Draft(located(content, file.parent), file)]
    unknown = set(content) - {"common", "tasks"}
    if unknown:
        raise UserError(f"{file}: unknown key {sorted(unknown)[0]!r}; a family file has 'common' and 'tasks'")
    common, tasks = content.get("common", {}), content["tasks"]
    if not isinstance(common, dict) or not isinstance(tasks, dict):
        raise UserError(f"{file}: 'common' and 'tasks' must be mappings")
    whole = {name: merged(merged(common, {"name": name}), own or {}) for name, own in tasks.items()}
    return [Draft(located(own, file.parent), file, f"tasks.{name}.") for name, own in whole.items()]


def located(content: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The same with absolute paths for those that begin with ./ or ../ and are seen from `folder`.

    They stand in ``data``, ``base``, ``posterior.checkpoints`` and ``inception.file``.
    """

    def found(value: Any) -> Any:
        if isinstance(value, str) and value.startswith(HERE):
            return str((folder.absolute() / value).resolve())
        if isinstance(value, list):
            return [found(one) for one in value]
        return {key: found(one) for key, one in value.items()} if isinstance(value, dict) else value

    places = ("data", "base", "posterior", "inception")
    return {key: found(value) if key in places else value for key, value in content.items()}


def read_yaml_mapping(file: Path, what: str) -> dict[str, Any]:
    """A YAML file's top-level mapping. Raises UserError, naming the line, for anything else."""
    try:
        # With the mark that some editors begin a file by, or without.
        content = load_yaml(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UserError(f"cannot read the {what} {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"the {what} {file} is not UTF-8 (byte {error.start}): save it as UTF-8") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or "not YAML"
        raise UserError(f"the {what} {file} is malformed: {where}{problem}") from error
    if not isinstance(content, dict):
        raise UserError(f"the {what} {file} is malformed: it must be a mapping of keys to values")
    return content
