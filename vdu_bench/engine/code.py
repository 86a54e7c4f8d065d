"""A digest of all code that a result depends on, comments and docstrings apart.

It begins with the modules that the caller names, and follows their imports. These are read from the source files,
wherever in a file they stand; no module is imported for it. Imports of these are followed:

- the suite's own modules;
- modules beside the one that was named: those of the same package, or of the folder that a plug-in file lies in;
- packages that extend the suite;
- code that somebody works on: whatever lies outside Python's own folders and those of installed packages, such as an
  editable install.

What is reached through a registry, by its name, appears in no import. So the caller names such an entry as well.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

from vdu_bench.collecting import uncollected
from vdu_bench.errors import UserError
from vdu_bench.module_files import locate, spec_of, under
from vdu_bench.registry import OURS as OUR_TARGETS
from vdu_bench.registry import Entry
from vdu_bench.spec import digest_of

OURS = ("vdu_bench", "vdu_baselines")
"""Packages that are followed whoever imports them. What their own ``__init__`` says decides nothing."""

LIBRARIES = {
    *("accelerate", "diffusers", "huggingface_hub", "peft", "safetensors", "tokenizers", "transformers"),
    *("open_clip", "timm", "torch", "torch_fidelity", "torchvision"),
    *("PIL", "matplotlib", "numpy", "pandas", "pydantic", "scipy", "sklearn"),
}
"""Never followed, also where they were built from their sources: they are large, and records have their versions."""


def code_digest(follow: Sequence[str | Entry], alone: Sequence[str] = ()) -> str:
    """sha256 over the code that some modules run, comments and docstrings apart.

    Args:
        follow: modules by dotted name, or registered entries; with all that they import.
        alone: modules whose imports are not followed: those that only hand over what the others work on.

    Raises:
        UserError: there is no such module.
    """
    found: dict[str, str] = {}
    for start in follow:
        name = start if isinstance(start, str) else start.module
        file = None if isinstance(start, str) else start.file
        found |= _closure(name, file)
    for name in alone:
        found[name] = _read(_file_of(name)).digest
    return digest_of(found)


def code_of_others(entry: Entry) -> str:
    """`code_digest` of what is registered by somebody else; empty for the suite's own, whose version records have."""
    return "" if entry.target.startswith(OUR_TARGETS) else code_digest([entry])


@dataclass(frozen=True)
class _Source:
    """A file: the digest of what it runs, and the modules it may import.

    Each import is a dotted name with the number of its leading dots; ``from a import b`` counts as ``a`` and ``a.b``.
    """

    digest: str
    imports: tuple[tuple[int, str], ...] = field(default=())


@cache
def _closure(start: str, plugin: Path | None) -> dict[str, str]:
    """Digests by module of what `start` imports from the suite and from beside itself, itself included."""
    folder = None if plugin is None else plugin.parent
    tops = {*OURS, start.partition(".")[0]}
    first = _file_of(start) if plugin is None else plugin
    digests: dict[str, str] = {}
    waiting = [(start, first), *_packages(start)] if plugin is None else [(start, first)]
    while waiting:
        name, file = waiting.pop()
        if name in digests:
            continue
        source = _read(file)
        digests[name] = source.digest
        for dots, imported in source.imports:
            target = _absolute(name, file, dots, imported)
            top = target.partition(".")[0]
            if top in tops or _is_worked_on(top):
                waiting += [*_found(target), *_packages(target)]
            elif folder is not None and (beside := under(folder, target)) is not None:
                waiting.append((target, beside))
    return digests


def _found(name: str) -> list[tuple[str, Path]]:
    file = locate(name)
    return [] if file is None or name in OURS else [(name, file)]


@cache
def _is_worked_on(top: str) -> bool:
    """Whether a package may change from run to run under one version, or is one that extends the suite."""
    if top in LIBRARIES or top in sys.stdlib_module_names:
        return False
    if top in _extensions():
        return True
    if (spec := spec_of(top)) is None:
        return False
    places = [*(spec.submodule_search_locations or ()), *([spec.origin] if spec.has_location and spec.origin else [])]
    return bool(places) and not any({"site-packages", "dist-packages"} & set(Path(place).parts) for place in places)


@cache
def _extensions() -> frozenset[str]:
    points = entry_points()
    groups = [group for group in points.groups if group.startswith("vdu_bench.")]
    return frozenset(
        point.value.partition(":")[0].partition(".")[0] for group in groups for point in points.select(group=group)
    )


def _packages(name: str) -> Iterator[tuple[str, Path]]:
    """The packages around a module, which run before it."""
    while name := name.rpartition(".")[0]:
        yield from _found(name)


def _absolute(name: str, file: Path, dots: int, imported: str) -> str:
    if not dots:
        return imported
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    for _ in range(dots - 1):
        package = package.rpartition(".")[0]
    return f"{package}.{imported}".strip(".")


def _file_of(name: str) -> Path:
    if (file := locate(name)) is None:
        raise UserError(f"there is no module {name}")
    return file


_SOURCES: dict[Path, _Source] = {}
"""Read once in a process, whose code stays what it was when it began, whatever becomes of the files."""


def run_again(file: Path) -> None:
    """Have the code of a plug-in file count as it lies there now, since it has just been run once more."""
    if _SOURCES.pop(file, None) is not None:
        _closure.cache_clear()


def _read(file: Path) -> _Source:
    if file not in _SOURCES:
        _SOURCES[file] = _parsed(file)
    return _SOURCES[file]


def _parsed(file: Path) -> _Source:
    content = file.read_bytes()
    try:
        with uncollected():
            tree = ast.parse(content)
            _strip(tree.body)
            imports = tuple(dict.fromkeys(_imports(tree.body)))
            text = ast.dump(tree)
    except (SyntaxError, ValueError):  # compiled, or broken: then it counts as it lies there
        return _Source(hashlib.sha256(content).hexdigest())
    return _Source(hashlib.sha256(text.encode()).hexdigest(), imports)


def _blocks(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    for name in ("body", "orelse", "finalbody"):
        if block := getattr(statement, name, None):
            yield block
    for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
        yield part.body


def _strip(body: list[ast.stmt]) -> None:
    """Take out what is a lone string: docstrings, of attributes too."""
    body[:] = [s for s in body if not (isinstance(s, ast.Expr) and _is_text(s.value))]
    for statement in body:
        for block in _blocks(statement):
            _strip(block)


def _is_text(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def _imports(body: list[ast.stmt]) -> Iterator[tuple[int, str]]:
    for statement in body:
        if isinstance(statement, ast.Import):
            yield from ((0, alias.name) for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom):
            module = statement.module or ""
            yield statement.level, module
            yield from ((statement.level, f"{module}.{alias.name}".strip(".")) for alias in statement.names)
        elif isinstance(statement, ast.If) and _is_type_checking(statement.test):
            yield from _imports(statement.orelse)
        else:
            for block in _blocks(statement):
                yield from _imports(block)


def _is_type_checking(test: ast.expr) -> bool:
    return getattr(test, "id", getattr(test, "attr", "")) == "TYPE_CHECKING"
