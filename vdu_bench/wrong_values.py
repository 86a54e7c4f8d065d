"""What pydantic says of a wrong value, in the suite's own words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vdu_bench.plain_json import shortened

PLAIN_NAME = r"^[a-z0-9][a-z0-9_]*$"
"""What names of tasks and families are made of, and those of plug-ins that `vdu-bench new` writes."""
PATTERNS = {
    PLAIN_NAME: "has other characters than small letters, digits and underscores, or begins with an underscore",
    r"^clip_[a-z0-9_]+$": "is not clip_ and a word of small letters, digits and underscores",
    r"^\w[\w.-]*/\w[\w.-]*$": "is no id of the hub, which is OWNER/NAME",
}
"""What is wrong with a text that does not match."""
MAPPING = "is no mapping of keys to values"
KINDS = {
    "int": "is not a whole number",
    "float": "is not a number",
    "bool": "is neither true nor false",
    "string_type": "is not a text",
    "model_type": MAPPING,
    "model_attributes_type": MAPPING,
    "dict_type": MAPPING,
    "mapping_type": MAPPING,
    "list_type": "is no list",
    "tuple_type": "is no list",
}
"""By how pydantic's names of mistakes begin."""
SHOWN = 40
"""Characters of a value that are shown."""


def in_words(mistake: Mapping[str, Any], what: str = "") -> str:
    """A sentence about one of the mistakes of a `pydantic.ValidationError`.

    Args:
        mistake: one of its ``errors()``.
        what: what the value is called in it; the value itself if empty.
    """
    kind, message = str(mistake["type"]), str(mistake["msg"])
    what = what or shortened(repr(mistake.get("input")), SHOWN)
    if kind == "missing":
        return "it must be given"
    if kind == "string_pattern_mismatch" and (told := PATTERNS.get(mistake["ctx"]["pattern"])):
        return f"{what} {told}"
    for begin, told in KINDS.items():
        if kind.startswith(begin):
            return f"{what} {told}"
    if message.startswith("Input should be "):
        return f"{what} should be {message.removeprefix('Input should be ')}"
    return message.removeprefix("Value error, ")
