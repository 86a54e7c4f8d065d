"""Names that stand for code that is not imported yet.

Methods, tasks, probes, metrics and data sources are found through entry points, ours and a third party's alike; a
plug-in file adds to the same registries while it runs. A target is imported when it is first used, so listing names
costs nothing. Where names are listed, an entry point that cannot be used is warned of; where it is asked for, it is an
error.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Generic, TypeVar

from vdu_bench.errors import UserError, did_you_mean, one_line, warn
from vdu_bench.static_class import StaticClass, first_line, statements
from vdu_bench.variants import unfit

RESERVED = ("all", "none", "task")
"""What commands take in the place of a name: everything, nothing, and the task itself."""

T = TypeVar("T")
R = TypeVar("R")

OURS = ("vdu_bench.", "vdu_bench:", "vdu_baselines.")
"""How the targets of the suite's own entry points begin."""


@dataclass(frozen=True)
class Entry:
    """A name and where its object is: ``module:attr``, and for a plug-in file the file itself."""

    name: str
    target: str
    file: Path | None = None

    @property
    def module(self) -> str:
        """The module's dotted name."""
        return self.target.partition(":")[0]

    @property
    def attribute(self) -> str:
        """What is named inside the module."""
        return self.target.partition(":")[2]

    def source_file(self) -> Path:
        """The file that the object is written in, found without importing it."""
        if self.file is not None:
            return self.file
        try:
            spec = importlib.util.find_spec(self.module)
        except Exception as error:  # whatever a package on the way to it does when it is imported
            raise UserError(f"{self.name!r} points to {self.target}, which fails: {one_line(error)}") from error
        if spec is None or spec.origin is None:
            raise UserError(f"{self.name!r} points to {self.target}, and there is no module {self.module}")
        return Path(spec.origin)

    def static_class(self) -> StaticClass:
        """What can be read of the class without importing it."""
        return StaticClass.read(self.source_file(), self.attribute)

    def is_function(self) -> bool:
        """Whether its module says ``def`` under this name, found without importing it."""
        body = statements(self.source_file())
        return any(isinstance(node, ast.FunctionDef) and node.name == self.attribute for node in body)

    def load(self) -> Any:
        """Import the object. Raises UserError where that fails."""
        try:
            module = importlib.import_module(self.module)
            return getattr(module, self.attribute)
        except (Exception, SystemExit) as error:
            raise UserError(f"{self.name!r} ({self.target}) fails to import: {one_line(error)}") from error


def of_none(wrong: str, known: Iterable[str], lister: str = "") -> str:
    """`did_you_mean`; where no known name is close, it may be of a file of one's own, and its option is named too."""
    hint = did_you_mean(wrong, known, lister)
    return hint if "did you mean" in hint else f"{hint}; one of your own needs --plugin FILE"


class Registry(Generic[T]):
    """Names to lazily imported objects, filled from an entry-point group and from plug-in files.

    Args:
        kind: what the names stand for, for messages.
        group: the entry-point group; None for a registry that only the suite itself fills.
        asks: looks at an object, once it is imported. Raises UserError for one that cannot be used.
    """

    def __init__(self, kind: str, group: str | None = None, asks: Callable[[Any], None] = lambda _: None) -> None:
        self.kind = kind
        self._group = group
        self._asks = asks
        self._entries: dict[str, Entry] = {}
        self._loaded: dict[str, T] = {}
        self._left_out: set[str] = set()
        self._scanned = False

    def add(self, name: str, target: str, file: Path | None = None) -> None:
        """Register a target. Raises UserError when the name stands for another one already, or cannot be used."""
        if why := unfit(name):
            raise UserError(f"a {self.kind} cannot be called {name!r}: {why}")
        if name in RESERVED:
            raise UserError(f"a {self.kind} cannot be called {name!r}, which means something else where names stand")
        if file is not None:
            # What is installed has its name, however early a plug-in comes.
            self.entries()
        known = self._entries.get(name)
        if known is not None and known.target != target:
            raise UserError(f"two {self.kind}s are called {name!r}: {known.target} and {target}; rename one")
        alike = next((one for one in self._entries if one != name and one.casefold() == name.casefold()), None)
        if alike is not None:
            raise UserError(
                f"two {self.kind}s are called {alike!r} and {name!r}, which are one file where capitals do not count "
                "(macOS, Windows); rename one"
            )
        self._entries[name] = Entry(name, target, file)
        if file is not None:
            # A plug-in that is loaded again, in a notebook that stays open, was edited meanwhile.
            self._loaded.pop(name, None)

    def entries(self) -> dict[str, Entry]:
        """All entries by name, sorted."""
        if self._group is not None and not self._scanned:
            self._scanned = True
            # Ours first: a third party's that takes one of their names is the one that is left out.
            points = sorted(entry_points(group=self._group), key=lambda point: not point.value.startswith(OURS))
            for point in points:
                try:
                    self.add(point.name, point.value)
                except UserError as error:
                    warn(f"the entry point {point.name} = {point.value} is left out: {error}")
        return dict(sorted(self._entries.items()))

    def entry(self, name: str) -> Entry:
        """One entry. Raises UserError, with the closest known name, for an unknown one."""
        entries = self.entries()
        if name not in entries:
            lister = f"vdu-bench list {self.kind.rpartition(' ')[2]}s"
            raise UserError(f"unknown {self.kind} {name!r}{of_none(name, entries, lister)}")
        return entries[name]

    def get(self, name: str) -> T:
        """The object itself, imported now if it was not before. Raises UserError as `check`, and where that fails."""
        if name not in self._loaded:
            found = self.entry(name).load()
            self.check(name, found)
            self._loaded[name] = found
        return self._loaded[name]

    def check(self, name: str, found: Any) -> None:
        """Raise UserError, with its name, for an object that cannot be used."""
        try:
            self._asks(found)
        except UserError as error:
            raise UserError(f"the {self.kind} {name!r}: {error}") from error

    def said(self, name: str, *attributes: str) -> tuple[str, dict[str, Any]]:
        """The first line of a class's docstring, and class attributes of it.

        They are read from the source where they are literals there, and else from the class, which is imported for it.
        Raises UserError where it lacks one, and so derives from none of the suite's.
        """
        static = self.entry(name).static_class()
        if static.says(*attributes):
            return static.summary, {attribute: static.literals[attribute] for attribute in attributes}
        found = self.get(name)
        if lacking := next((attribute for attribute in attributes if not hasattr(found, attribute)), None):
            raise UserError(f"the {self.kind} {name!r} ({self.entry(name).target}) has no {lacking!r}")
        return first_line(found.__doc__), {attribute: getattr(found, attribute) for attribute in attributes}

    def each(self, read: Callable[[str], R]) -> dict[str, R]:
        """What `read` gives of each name; one of which it raises UserError is warned of, once, and left out."""
        found = {}
        for name in self.entries():
            try:
                found[name] = read(name)
            except UserError as error:
                if name not in self._left_out:
                    self._left_out.add(name)
                    warn(f"the {self.kind} {name} is left out: {error}")
        return found

    def working(self) -> dict[str, T]:
        """All objects by name, imported now, but those that fail to import, as `each`."""
        return self.each(self.get)

    def present(self) -> dict[str, Entry]:
        """All entries by name, but those whose module is not there, as `each`; nothing is imported."""

        def entry(name: str) -> Entry:
            found = self.entry(name)
            found.source_file()
            return found

        return self.each(entry)


def import_plugin(file: Path) -> str:
    """Run a plug-in file as a module, and once more where it was before; the module's name.

    Raises UserError where it is missing or fails.
    """
    if not file.is_file():
        raise UserError(f"no plug-in file {file}")
    name, place = f"vdu_bench_plugin_{file.stem}", str(file.resolve())
    if getattr(sys.modules.get(name), "__file__", place) != place:
        # Two files of one name in two folders are two modules.
        name = f"{name}_{hashlib.sha256(place.encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, place)
    if spec is None or spec.loader is None:
        raise UserError(f"plug-in {file} is not a Python file (its name must end in .py)")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    # As `python FILE` has it: what lies beside the file can be imported. Last, so that it hides nothing.
    if (folder := str(Path(place).parent)) not in sys.path:
        sys.path.append(folder)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # a plug-in that exits would end the command without a word
        del sys.modules[name]
        raise UserError(f"plug-in {file} fails to import: {one_line(error)}") from error
    return name
