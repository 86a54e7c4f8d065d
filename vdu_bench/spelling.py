"""One spelling of each number, so that two of them make neither two rows nor two records."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

LARGEST = 2**53
"""Beyond it not every whole number is a float."""


def spelled(value: Any) -> Any:
    """Plain data with each float that is whole as an integer: 3 for 3.0, as a setting that is a float takes it, too.

    What a setting takes is not known before its method is imported. So it is not the integer that gives way: whoever
    takes whole numbers alone would be asked for 3.0.
    """
    if isinstance(value, float) and value.is_integer() and abs(value) <= LARGEST:
        return int(value)
    if isinstance(value, Mapping):
        return {name: spelled(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [spelled(one) for one in value]
    return value


def as_text(value: Any) -> str:
    """The same text for the same plain data, however its numbers are spelled; true is not 1."""
    return json.dumps(spelled(value), sort_keys=True, default=str)
