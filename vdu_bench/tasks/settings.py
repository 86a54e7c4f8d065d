"""Settings from the command line and from files: ``vdu.gamma=0.3`` and ``{vdu: {gamma: 0.3}}`` say the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import yaml

from vdu_bench.errors import UserError
from vdu_bench.nested import merged
from vdu_bench.spelling import as_text
from vdu_bench.tasks.task_files import read_yaml_mapping
from vdu_bench.tasks.yaml_text import load_yaml
from vdu_bench.variants import changed


def read_settings(
    assignments: Sequence[str], file: Path | None, inline: Mapping[str, Any] | None = None
) -> dict[str, list[dict[str, Any]]]:
    """By owner (a method's name, or ``task``), its variants: the settings of each; assignments go over the file.

    `inline` is what a file would say, from elsewhere: it stands in the file's place where there is none.

    A value is read as YAML (``0.3``, ``true``, ``null``, ``[1, 2]``); in a name, further dots reach into mappings.
    Values with commas between make variants, all combinations of them where several assignments do, the first
    assignment's values in the outer loop. A comma inside brackets, braces or quotes is a part of one value.

    What the file says of where settings are from (``{task: {settings_from: {vdu: tuned}}}``, as ``vdu-bench tune``
    writes it) no longer holds for a method that an assignment changes, and is left out.

    Raises:
        UserError: an assignment or the file is malformed, or a value or a setting comes twice.
    """
    given = _from_file(file) if file is not None else _checked(inline or {}, "settings")
    found = {owner: [own] for owner, own in given.items()}
    assigned: set[str] = set()
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        owner, *words = path.strip().split(".")
        if not equals or not words or not all([owner, *words]):
            raise UserError(f"--set {assignment!r}: write OWNER.NAME=VALUE, such as vdu.gamma=0.3 or task.samples=500")
        values = [_nested(words, value) for value in values_in(text, f"--set {assignment!r}")]
        leaves = {f"{owner}.{name}" for value in values for name in changed({}, value)}
        if twice := sorted(leaves & assigned):
            raise UserError(f"--set gives {twice[0]} twice; several values with commas between are variants")
        assigned |= leaves
        found[owner] = [merged(own, value) for own in found.get(owner, [{}]) for value in values]
        if owner != "task" and "task" in found:
            found["task"] = [_without_origin(own, owner) for own in found["task"]]
    return found


def values_in(text: str, what: str) -> list[Any]:
    """The values of a text, as `read_settings` splits and reads them. Raises UserError, which begins with `what`."""
    values: list[Any] = []
    for part in _split(text):
        if not part.strip() and part != text:
            raise UserError(f"{what}: a value is empty; a comma between two values makes variants")
        try:
            # A star begins an alias in YAML, and there is nothing here to be one of: it is a pattern's.
            value = part.strip() if part.lstrip().startswith("*") else load_yaml(part)
        except yaml.YAMLError as error:
            raise UserError(f"{what}: the value is not YAML") from error
        if any(as_text(other) == as_text(value) for other in values):
            raise UserError(f"{what}: {part.strip()} comes twice")
        values.append(value)
    return values


def _without_origin(task: Mapping[str, Any], method: str) -> dict[str, Any]:
    """What is said of a task, but for where the settings of a method are from."""
    result = dict(task)
    for key in ("settings_from", "tuning_cost"):
        if isinstance(said := result.get(key), Mapping):
            result[key] = {name: value for name, value in said.items() if name != method}
    return result


def _nested(words: Sequence[str], value: Any) -> dict[str, Any]:
    for word in reversed(words):
        value = {word: value}
    return cast(dict[str, Any], value)


def _split(text: str) -> list[str]:
    """The parts of a text between its commas, but for those inside brackets, braces or quotes.

    A quote opens where a YAML value may begin, so that an apostrophe inside a word is none.
    """
    parts, start, depth, quote, before = [], 0, 0, "", ","
    place = 0
    while place < len(text):
        character = text[place]
        if quote:
            # The quote itself is written twice in single quotes, after a backslash in double ones.
            if text[place : place + 2] == "''" == 2 * quote or (quote, character) == ('"', "\\"):
                place += 1
            elif character == quote:
                quote = ""
        elif character in "\"'" and before in ",[{:":
            quote = character
        elif character in "[{":
            depth += 1
        elif character in "]}":
            depth = max(0, depth - 1)
        elif character == "," and depth == 0:
            parts.append(text[start:place])
            start = place + 1
        if not character.isspace():
            before = character
        place += 1
    return [*parts, text[start:]]


def _from_file(file: Path) -> dict[str, Any]:
    return _checked(read_yaml_mapping(file, "settings file"), f"the settings file {file}")


def _checked(content: Mapping[str, Any], what: str) -> dict[str, Any]:
    for owner, own in content.items():
        if not isinstance(own, Mapping):
            raise UserError(f"{what} is malformed: {owner}: it must be a mapping of names to values")
    return {owner: dict(own) for owner, own in content.items()}
