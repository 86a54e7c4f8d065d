"""What a LaTeX text has to be before a compiler sees it."""

from __future__ import annotations

import re


def assert_balanced(text: str) -> None:
    """Every brace and every environment that is opened is closed, in their order."""
    depth = 0
    for character in re.sub(r"\\[\\{}]", "", text):
        depth += {"{": 1, "}": -1}.get(character, 0)
        assert depth >= 0
    assert depth == 0
    open_ones: list[str] = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+\*?)\}", text):
        if kind == "begin":
            open_ones.append(name)
        else:
            assert open_ones.pop() == name
    assert not open_ones
