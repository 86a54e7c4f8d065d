"""Texts of docstrings as they are shown: the lines of a paragraph joined, for whatever shows them to fold."""

from __future__ import annotations


def reflowed(docstring: str) -> str:
    """A line for each paragraph; formulas and examples, which are indented, and lists keep their lines."""
    lines: list[str] = []
    for line in docstring.splitlines():
        prose = line and line[0] not in " -*"
        if prose and lines and lines[-1] and not lines[-1].startswith(" "):
            lines[-1] += " " + line
        else:
            lines.append(line)
    return "\n".join(lines)
