"""What is kept and said of a cell that broke off with an error."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

from vdu_bench.data.catalog import SOURCES
from vdu_bench.debugging import debugging
from vdu_bench.engine.store import Store
from vdu_bench.errors import one_line
from vdu_bench.files import write_atomically
from vdu_bench.methods.catalog import METHODS
from vdu_bench.metrics.catalog import METRICS
from vdu_bench.probes.catalog import PROBES
from vdu_bench.registry import OURS, Registry

REGISTRIES: tuple[Registry[Any], ...] = (METHODS, METRICS, PROBES, SOURCES)

SHOWN = 5
"""So many of a plug-in's own frames are said, the innermost; the file has them all."""


def traceback_file(cell_name: str, store: Store) -> Path:
    """Where a cell's traceback is kept, if it broke off when it was last made."""
    return store.root / "failed" / f"{cell_name}.txt"


def tell_failure(cell_name: str, error: BaseException, store: Store, say: Callable[[str], None]) -> None:
    """Keep an error's traceback, and say where it is, and which lines of a plug-in led to it.

    Args:
        cell_name: whose.
        error: what it broke off with.
        store: where the traceback is kept.
        say: called with lines.
    """
    whole = "".join(traceback.format_exception(error))
    file = traceback_file(cell_name, store)
    try:
        write_atomically(file, whole.encode())
        where = f"its traceback is in {file}"
    except OSError:
        # The store is full or closed: what cannot be kept is shown.
        where = f"its traceback could not be kept:\n{whole.rstrip()}"
    say(f"{cell_name} broke off with {one_line(error)}; {where}")
    for line in whole.rstrip().splitlines() if debugging() else plugin_frames(error)[-SHOWN:]:
        say(f"  {line}")


def forget_failure(cell_name: str, store: Store) -> None:
    """Remove what an earlier failure left, once the cell went well."""
    with suppress(OSError):
        traceback_file(cell_name, store).unlink(missing_ok=True)


def plugin_frames(error: BaseException) -> list[str]:
    """Of an error's frames those of plug-ins' own code, outermost first: ``FILE:LINE in NAME: CODE``.

    Those of the error that it was raised from come after its own.
    """
    entries = [entry for registry in REGISTRIES for entry in registry.entries().values()]
    others = [entry for entry in entries if not entry.target.startswith(OURS)]
    modules = {entry.module.partition(".")[0] for entry in others}
    # What lies beside a plug-in file is its author's, too.
    folders = {entry.file.parent for entry in others if entry.file is not None}
    frames = []
    for frame, line in _walked(error):
        file = Path(frame.f_code.co_filename)
        if str(frame.f_globals.get("__name__", "")).partition(".")[0] in modules or file.parent in folders:
            (summary,) = traceback.StackSummary.extract(iter([(frame, line)]))
            frames.append(f"{file}:{line} in {summary.name}: {summary.line}")
    return frames


def _walked(error: BaseException) -> Iterator[tuple[FrameType, int]]:
    known: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in known:
        known.add(id(cause))
        yield from traceback.walk_tb(cause.__traceback__)
        cause = cause.__cause__
