"""JSON for people to read: a value in a message, and what somebody else wrote without its control characters.

Those could move a terminal's cursor, or turn text around.
"""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF8
from typing import Any

from pydantic_core import from_json

# All but a tab and the ends of lines; the last two groups turn the direction of writing.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
# The same as JSON may have it: as it is in UTF-8, or after a backslash.
_SUSPECT = re.compile(
    rb"\x7f|\xc2[\x80-\x9f]|\xe2\x80[\xaa-\xae]|\xe2\x81[\xa6-\xa9]"
    rb"|\\[bf]|\\u(?:00[0189]|007f|202[a-e]|206[6-9])",
    re.IGNORECASE,
)
_LINE_ENDS = re.compile(r"\s*[\r\n]+\s*")
INSTEAD = "?"
"""What stands in the place of a control character."""


def is_suspect(content: bytes) -> bool:
    """Whether JSON may have control characters. A look at the text takes no time beside that of reading it."""
    return _SUSPECT.search(content) is not None


def read_json(content: bytes) -> Any:
    """The plain data, `INSTEAD` in the place of each control character. Raises ValueError for what is not JSON."""
    plain = from_json(content)
    return _printable(plain) if is_suspect(content) else plain


def parsed(content: bytes) -> Any:
    """The plain data as they are. Raises ValueError for what is not JSON, and where it is nested hundreds deep.

    Python's own reader raises RecursionError there, which no reader of a damaged file looks out for.
    """
    return from_json(content.removeprefix(BOM_UTF8))


def printable(text: object) -> str:
    """Text with `INSTEAD` in the place of each control character but tabs and the ends of lines."""
    # A carriage return alone has what follows it written over the line.
    return _CONTROL.sub(INSTEAD, str(text)).replace("\r\n", "\n").replace("\r", INSTEAD)


def printable_line(text: object) -> str:
    """The same on one line: what begins a line is a command to some programs that read it, as in CI."""
    return _LINE_ENDS.sub(" ", printable(text))


def in_json(value: Any, most: int = 60) -> str:
    """A value as JSON, in at most `most` characters."""
    return shortened(json.dumps(value, sort_keys=True, default=str), most)


def shortened(text: str, most: int) -> str:
    """A text in at most `most` characters, three of which are dots where it was longer."""
    return text if len(text) <= most else text[: most - 3] + "..."


def _printable(plain: Any) -> Any:
    if isinstance(plain, str):
        return _CONTROL.sub(INSTEAD, plain)
    if isinstance(plain, list):
        return [_printable(one) for one in plain]
    if isinstance(plain, dict):
        return {_printable(key): _printable(value) for key, value in plain.items()}
    return plain
