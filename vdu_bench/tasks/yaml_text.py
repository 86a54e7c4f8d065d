"""YAML as people write it: 1e-6 is a number, which YAML 1.1 takes for text."""

from __future__ import annotations

import re
from typing import Any

import yaml

# The one in C reads a catalog in a tenth of the time; PyYAML comes without it where there is no libyaml.
_Safe: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Safe):
    """PyYAML's safe one, with the numbers of YAML 1.2 and of JSON."""


# A copy, since the table is the class's that it derives from.
_Loader.yaml_implicit_resolvers = {key: list(value) for key, value in _Safe.yaml_implicit_resolvers.items()}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)[eE][-+]?[0-9]+$"),
    list("-+.0123456789"),
)


def load_yaml(text: str) -> Any:
    """The plain data of a text. Raises yaml.YAMLError."""
    return yaml.load(text, _Loader)
