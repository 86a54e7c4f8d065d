"""Digests of source code: what makes a changed suite never reuse what it would no longer make."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import vdu_bench
from vdu_bench.registry import Entry
from vdu_bench.spec import digest_of

SAMPLING = ("models", "seeds.py", "spec.py", "data/captions.py", "tasks/prompts.py", "engine/drawing.py")
"""The parts of the package that decide which images a model makes."""

UNLEARNING = (*SAMPLING, "data", "methods", "engine/stages.py")
"""The parts that decide what a method makes of a base model."""

EVERYTHING = (*UNLEARNING, "engine", "judges", "metrics", "stats", "tasks", "records.py")
"""The parts that can change a record: all but what prints, draws or parses."""


@cache
def source_digest(entry: Entry) -> str:
    """sha256 of the file that an entry points to."""
    return hashlib.sha256(entry.source_file().read_bytes()).hexdigest()


@cache
def code_digest(parts: tuple[str, ...]) -> str:
    """sha256 over the sources of some parts of this package."""
    return tree_digest(Path(vdu_bench.__path__[0]), parts)


def tree_digest(root: Path, parts: tuple[str, ...]) -> str:
    """sha256 over names and contents of the Python files that lie in some folders below `root`, or are named."""
    files = {file.relative_to(root).as_posix(): file for file in root.rglob("*.py")}
    ours = tuple(part if part.endswith(".py") else f"{part}/" for part in parts)
    return digest_of(
        {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in files.items() if name.startswith(ours)}
    )
