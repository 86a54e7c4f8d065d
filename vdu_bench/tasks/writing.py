"""A task as the text of a task file."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

from vdu_bench.spec import WHOLE
from vdu_bench.tasks.task import Task


def task_yaml(task: Task) -> str:
    """A whole task file, defaults included, that describes the same task wherever it lies: its paths are absolute.

    What depends on the kind of model unless it is given stays so, with a comment that says what it is.
    """
    text = as_yaml(task.model_dump(mode="json", context=WHOLE))
    for key, value in in_force(task).items():
        said = json.dumps(value).replace('"', "")
        text = re.sub(rf"^{key}: null$", f"{key}: null  # in force: {said}", text, flags=re.M)
    return text


def in_force(task: Task) -> dict[str, Any]:
    """By key, as plain JSON, what holds of a task where its file may say nothing."""
    posterior = task.posterior_source.model_dump(mode="json", context=WHOLE)
    return {"posterior": posterior, "quality": task.limits}


def as_yaml(content: dict[str, Any]) -> str:
    """Plain data as YAML in the order they are in; flat lists on one line."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


class _Dumper(yaml.SafeDumper):
    def represent_sequence(self, tag: str, sequence: Any, flow_style: bool | None = None) -> yaml.SequenceNode:
        flat = all(not isinstance(one, list | dict) for one in sequence)
        return super().represent_sequence(tag, sequence, flow_style=flat or flow_style)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True
