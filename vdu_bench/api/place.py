"""Where the suite keeps what it made."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from platformdirs import user_cache_path

from vdu_bench.engine.shipped import shipped_artifacts
from vdu_bench.engine.store import Store
from vdu_bench.errors import UserError


def expanded(given: str | os.PathLike[str]) -> str:
    """A path, or a name that may be one, with the home folder for its ``~``: no shell does that in Python."""
    # Not Path's own: it makes x/y, which is an id of the hub, of ./x/y, and raises for a file that is called ~x.
    return os.path.expanduser(given)


def store_at(folder: str | Path | None, say: Callable[[str], None] = lambda _: None) -> Store:
    """The store of a folder; of None that of ``VDU_BENCH_STORE``, or else the user's own; with what ships.

    Raises UserError where a user without a home folder names none.
    """
    try:
        place = folder or os.environ.get("VDU_BENCH_STORE") or user_cache_path("vdu-bench")
    except RuntimeError as error:
        # As in a container that is run under a number that no account has, without HOME.
        raise UserError("there is no home folder to keep a store in: name one by --store or VDU_BENCH_STORE") from error
    return Store(Path(expanded(place)), shipped_artifacts(), say)
