"""What a class statement says, read and not run: a listing of everything imports nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from vdu_bench.errors import UserError, one_line
from vdu_bench.module_files import locate, under

DEEPEST = 12
"""Classes and imports that are followed on the way to a base; more than these go round in a circle."""


@dataclass(frozen=True)
class StaticClass:
    """A class statement with those that it derives from, as far as their files are found.

    Attributes:
        docstring: its own.
        literals: its class attributes that are written as literals, inherited ones included. One that is computed is
            none, whatever a base says.
    """

    docstring: str = ""
    literals: dict[str, Any] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return first_line(self.docstring)

    def says(self, *names: str) -> bool:
        """Whether class attributes are here; who looks for another one has to ask the class itself."""
        return set(names) <= self.literals.keys()

    @classmethod
    def read(cls, file: Path, name: str) -> StaticClass:
        """Parse `file` and look for ``class name``, or whence it imports it; empty where it is made in some other way.

        Raises UserError where `file` cannot be read as Python.
        """
        return cls() if (found := _find(file, name, DEEPEST)) is None else _read(*found, DEEPEST)


def first_line(docstring: str | None) -> str:
    """What a docstring says in short; empty where there is none."""
    return (docstring or "").strip().partition("\n")[0]


def statements(file: Path) -> list[ast.stmt]:
    """The statements of a module. Raises UserError where it cannot be read as Python."""
    try:
        facts = file.stat()
        return _parsed(file, facts.st_mtime_ns, facts.st_size)
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(f"{file} cannot be read as Python: {one_line(error)}") from error


@lru_cache(maxsize=512)
def _parsed(file: Path, time: int, size: int) -> list[ast.stmt]:  # noqa: ARG001 an edited file is another one
    return ast.parse(file.read_bytes(), str(file)).body


def _find(file: Path, name: str, left: int) -> tuple[Path, ast.ClassDef] | None:
    """The class statement that a name stands for in a module, and its file."""
    body = statements(file)
    node = next((node for node in reversed(body) if isinstance(node, ast.ClassDef) and node.name == name), None)
    if node is not None or not left:
        return None if node is None else (file, node)
    for statement in body:
        if isinstance(statement, ast.ImportFrom):
            for alias in statement.names:
                if name == (alias.asname or alias.name) and (there := _imported(file, statement)) is not None:
                    return _find(there, alias.name, left - 1)
    return None


def _imported(file: Path, statement: ast.ImportFrom) -> Path | None:
    """The file of the module that names are imported from."""
    if not statement.level:
        return locate(statement.module or "")
    folder = file.parent
    for _ in range(statement.level - 1):
        folder = folder.parent
    if statement.module is None:
        return place if (place := folder / "__init__.py").is_file() else None
    return under(folder, statement.module)


def _read(file: Path, node: ast.ClassDef, left: int) -> StaticClass:
    literals: dict[str, Any] = {}
    for base in reversed(node.bases):
        found = _find(file, base.id, left) if isinstance(base, ast.Name) and left else None
        if found is not None and found[1] is not node:
            literals |= _read(*found, left - 1).literals
    for name, value in _assigned(node):
        try:
            literals[name] = ast.literal_eval(value)
        except (ValueError, TypeError):
            literals.pop(name, None)
    return StaticClass(ast.get_docstring(node) or "", literals)


def _assigned(node: ast.ClassDef) -> Iterator[tuple[str, ast.expr]]:
    for statement in node.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.value:
            yield statement.target.id, statement.value
        elif isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            yield statement.targets[0].id, statement.value
