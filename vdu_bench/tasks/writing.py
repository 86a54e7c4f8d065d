"""A task as the text of a task file."""

from __future__ import annotations

from typing import Any

import yaml

from vdu_bench.spec import WHOLE
from vdu_bench.tasks.task import Task


def task_yaml(task: Task) -> str:
    """A whole task file, defaults included, that describes the same task wherever it lies: its paths are absolute."""
    return as_yaml(task.model_dump(mode="json", context=WHOLE))


def as_yaml(content: dict[str, Any]) -> str:
    """Plain data as YAML in the order they are in; flat lists on one line."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


class _Dumper(yaml.SafeDumper):
    def represent_sequence(self, tag: str, sequence: Any, flow_style: bool | None = None) -> yaml.SequenceNode:
        flat = all(not isinstance(one, list | dict) for one in sequence)
        return super().represent_sequence(tag, sequence, flow_style=flat or flow_style)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True
