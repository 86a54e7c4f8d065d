"""The libraries that run in the page, from packages on this machine: nothing is fetched, now or when it is opened."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from threading import Lock

from vdu_bench.errors import UserError
from vdu_bench.extras import install
from vdu_bench.reports.page.packing import packed_text

_MAKING = Lock()


def check() -> None:
    """Raise UserError where a package that the page needs is not installed."""
    # Found and not imported: one takes seconds, and the other would bring pandas along.
    if find_spec("vl_convert") is None or _data_tables() is None:
        raise UserError(f"a page needs further packages: {install('page')}")


def plotting() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script that leaves ``vegaEmbed`` behind, packed. Takes seconds.

    Raises:
        UserError: as `check`.
    """
    check()
    # Whoever asks while it is being made waits for it, and does not make it a second time.
    with _MAKING:
        return _plotting()


@cache
def _plotting() -> str:
    import vl_convert

    return packed_text(vl_convert.javascript_bundle("globalThis.vegaEmbed = vegaEmbed;"))


@cache
def tables() -> str:
    """DataTables with its extensions, an ES module whose default is ``DataTable``, packed.

    Raises:
        UserError: as `check`.
    """
    check()
    found = _data_tables()
    assert found is not None
    return packed_text((found / "html" / "dt_bundle.js").read_text(encoding="utf-8"))


def _data_tables() -> Path | None:
    """The folder of itables."""
    found = find_spec("itables")
    return None if found is None or found.origin is None else Path(found.origin).parent
