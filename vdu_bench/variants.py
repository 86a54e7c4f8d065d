"""What was changed of a task or of a method's settings, as a part of a name: no two results share one that differ."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from vdu_bench.errors import flat
from vdu_bench.spec import digest_of

PLAIN = re.compile(r"[A-Za-z0-9._-]{1,32}")
CALLED = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,30}[A-Za-z0-9_-])?")
"""What a command may call a variant: no name of this kind is one of changes, which have an equals sign."""

PART_OF_FILES = r"^\w[\w.+=,\[\]() -]{0,99}$"
"""Of what becomes a part of file names: no way leads from it to another folder, and no character moves a cursor."""
IN_FILES = "it is a part of file names, and may have letters, digits, blanks and _.+=,[]()- alone, a letter first"

DEVICES = ("con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10)))
"""What Windows takes for a device in any folder, in small letters and capitals, also with a dot and more behind it."""

UNFIT = re.compile(r"[/\\\x00-\x1f\x7f-\x9f]")
"""Characters that no file name has."""

LONGEST = 100
"""Characters of all changes in a name of a file; more of them become a digest."""


def unfit(name: str) -> str:
    """Why a name cannot become a part of file names on every system; empty where it can."""
    if not re.fullmatch(PART_OF_FILES, name):
        return IN_FILES
    if name[-1] in ". ":
        return "it is a part of file names, and Windows drops a dot or a blank at the end of one"
    if name.partition(".")[0].rstrip().casefold() in DEVICES:
        return "it is a part of file names, and Windows has a device of this name"
    return ""


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """What differs of two pieces of plain data: dotted names, sorted, with the values after.

    A mapping is looked into, and where `before` has none of it all of it is new; a name that only `before` has comes
    with None.
    """
    found: dict[str, Any] = {}
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if isinstance(new, Mapping) and (old is None or isinstance(old, Mapping)) and (old or new):
            found |= {f"{name}.{inner}": value for inner, value in changed(old or {}, new).items()}
        elif old != new or (name in before) != (name in after):
            found[name] = new
    return found


def file_name(name: str, changes: Mapping[str, Any], called: str = "") -> str:
    """A name with what was changed, fit for a file: ``vdu+gamma=0.3+steps=60``, or with what that is called.

    A value that does not fit is a digest of eight digits, of a path its last part; and so are many changes together, or
    those whose names do not fit.
    """
    if called or not changes:
        return f"{name}+{called}" if called else name
    parts = [f"{key}={_short(value)}" for key, value in changes.items()]
    text = "+".join(parts)
    fits = len(text) <= LONGEST and not UNFIT.search(text)
    return f"{name}+{text if fits else digest_of(dict(changes))[:8]}"


def variant_name(task: str, forget_images: int | str | None, changes: Mapping[str, Any]) -> str:
    """A task's name, with ``-forgetN`` where it is limited to N forget images, and with what else was changed."""
    limited = task if forget_images in (None, "all") else f"{task}-forget{forget_images}"
    return file_name(limited, changes)


def row_name(name: str, changes: Mapping[str, Any], called: str = "") -> str:
    """The same for people: ``vdu[gamma=0.3, steps=60]``."""
    if called:
        return f"{name}[{called}]"
    return f"{name}[{', '.join(f'{flat(key)}={_short(value)}' for key, value in changes.items())}]" if changes else name


def _short(value: Any) -> str:
    # A table asks for the same few values thousands of times. A zero may have a sign, which two equal keys do not tell.
    return _short_of_one(value) if isinstance(value, str | int | float) and value != 0 else _made_short(value)


@lru_cache(maxsize=4096, typed=True)
def _short_of_one(value: str | int | float) -> str:
    return _made_short(value)


def _made_short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    text = text.rstrip("/").rpartition("/")[2]
    return text if PLAIN.fullmatch(text) else digest_of(value)[:8]
