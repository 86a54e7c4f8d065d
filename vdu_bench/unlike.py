"""Where two pieces of plain data differ, told so that a reader sees the difference, however long both are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vdu_bench.plain_json import in_json, shortened

NAMED = 3
"""Of further differences so many are named."""
CONTEXT = 12
"""Of what two long texts have in common so many characters are shown before the difference."""


class _Nothing:
    """In the place of what one side does not have."""


@dataclass(frozen=True)
class Unlike:
    """The first place where two values differ, and what is said of the others.

    Attributes:
        name: dotted, with places in lists from 0.
        before: the one value there, as JSON; ``nothing`` where that side has none.
        now: the other.
        more: such as `` (2 more differ: prompts.b, prompts.c)``; empty where nothing else differs.
    """

    name: str
    before: str
    now: str
    more: str


def unlike(name: str, before: Any, now: Any, most: int = 60) -> Unlike:
    """Where two values differ.

    Args:
        name: what the values are called.
        before: plain data.
        now: other plain data.
        most: characters that are shown of a value, unless it takes more to tell the two apart.
    """
    found = list(_places(name, before, now, most)) or [(name, before, now)]
    first, one, other = found[0]
    others = [place for place, *_ in found[1:]]
    names = ", ".join(others[:NAMED]) + ", ..." * (len(others) > NAMED)
    return Unlike(first, *both(one, other, most), f" ({len(others)} more differ: {names})" if others else "")


def both(before: Any, now: Any, most: int = 60) -> tuple[str, str]:
    """Two values that differ, as JSON, in `most` characters each, unless it takes more to tell them apart."""
    one, other = excerpts([_text(before), _text(now)], most)
    return one, other


def excerpts(texts: Sequence[str], most: int) -> list[str]:
    """Texts, all different, in `most` characters each; what long ones begin with in common is left out.

    They take more than that where they would look the same.
    """
    if all(len(text) <= most for text in texts):
        return list(texts)
    begin = _in_common(min(texts), max(texts)) - CONTEXT
    rest = [f"...{text[begin:]}" for text in texts] if begin > most // 2 else list(texts)
    while len({shortened(text, most) for text in rest}) < len(set(texts)):
        most *= 2
    return [shortened(text, most) for text in rest]


def apart(before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two mappings with the keys alone in which they differ."""
    names = [name for name in before.keys() | now.keys() if before.get(name, _Nothing) != now.get(name, _Nothing)]
    one, other = ({name: side[name] for name in sorted(names) if name in side} for side in (before, now))
    return one, other


def _places(name: str, before: Any, now: Any, most: int) -> Iterator[tuple[str, Any, Any]]:
    """As deep as both go: mappings by their keys, and lists that are too long to be shown by their places."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in [*before, *(key for key in now if key not in before)]:
            yield from _places(f"{name}.{key}", before.get(key, _Nothing), now.get(key, _Nothing), most)
    elif _is_list(before) and _is_list(now) and len(before) == len(now) and _is_long(before, now, most):
        for place, (one, other) in enumerate(zip(before, now, strict=True)):
            yield from _places(f"{name}.{place}", one, other, most)
    elif before != now:
        yield name, before, now


def _is_long(before: Any, now: Any, most: int) -> bool:
    return max(len(_text(before)), len(_text(now))) > most


def _in_common(one: str, other: str) -> int:
    """How many characters two texts begin with in common; of the first and the last of many texts, all of them."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _text(value: Any) -> str:
    return "nothing" if value is _Nothing else in_json(value, 10**9)
