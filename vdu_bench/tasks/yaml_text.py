"""YAML as people write it: 1e-6 is a number, which YAML 1.1 takes for text."""

from __future__ import annotations

import re
from typing import Any

import yaml

# The one in C reads a catalog in a tenth of the time; PyYAML comes without it where there is no libyaml.
_Safe: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


MOST = 1_000_000
"""So many values a text may stand for: a line of aliases of aliases stands for more than a memory holds."""


class _Loader(_Safe):
    """PyYAML's safe one, with the numbers of YAML 1.2 and of JSON, without dates, and with each key once, as text.

    A whole number that begins with 0 is text: 001 is somebody's class, and to YAML 1.1 the same as 1.
    """

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self._looked_at: list[Any] = []

    def flatten_mapping(self, node: Any) -> None:
        # What a mapping says itself, before what it merges is put into it.
        if node not in self._looked_at:
            self._looked_at.append(node)
            self._check_keys(node)
        super().flatten_mapping(node)

    def _check_keys(self, node: Any) -> None:
        seen = set()
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                continue
            name = self.construct_object(key, deep=True)
            if not isinstance(name, str):
                raise yaml.constructor.ConstructorError(None, None, f"the key {name!r} is no text", key.start_mark)
            if name in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {name!r} stands twice", key.start_mark)
            seen.add(name)


_REPLACED = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:int")
# A copy, since the table is the class's that it derives from.
_Loader.yaml_implicit_resolvers = {
    key: [(tag, pattern) for tag, pattern in value if tag not in _REPLACED]
    for key, value in _Safe.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int",
    re.compile(r"^[-+]?(?:0|[1-9][0-9_]*(?::[0-5]?[0-9])*|0b[01_]+|0x[0-9a-fA-F_]+)$"),
    list("-+0123456789"),
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)[eE][-+]?[0-9]+$"),
    list("-+.0123456789"),
)


def load_yaml(text: str) -> Any:
    """The plain data of a text. Raises yaml.YAMLError, also for what has no end or would fill the memory."""
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _check_size(node, {})
        return loader.construct_document(node)
    except RecursionError as error:
        raise yaml.MarkedYAMLError(problem="it is nested too deeply") from error
    # A number of more than 4,300 digits, as Python has it.
    except ValueError as error:
        raise yaml.MarkedYAMLError(problem=str(error)) from error
    finally:
        loader.dispose()


def _check_size(node: Any, sizes: dict[int, int]) -> int:
    """How many values a node stands for, each alias counted as all that it repeats.

    Raises yaml.YAMLError for one inside itself, and for more than `MOST`.
    """
    if isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) not in sizes:
        sizes[id(node)] = 0
        of_mapping = isinstance(node, yaml.MappingNode)
        inside = [one for pair in node.value for one in pair] if of_mapping else node.value
        sizes[id(node)] = 1 + sum(_check_size(one, sizes) for one in inside)
        if sizes[id(node)] > MOST:
            raise yaml.MarkedYAMLError(problem="its aliases repeat too much", problem_mark=node.start_mark)
    elif not sizes[id(node)]:
        raise yaml.MarkedYAMLError(problem="it has an alias inside of what it repeats", problem_mark=node.start_mark)
    return sizes[id(node)]
