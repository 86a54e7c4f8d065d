"""The libraries that run in the page, from packages on this machine: nothing is fetched, now or when it is opened."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from vdu_bench.errors import UserError
from vdu_bench.extras import install
from vdu_bench.reports.page.packing import packed_text


@cache
def plotting() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script that leaves ``vegaEmbed`` behind, packed. Takes seconds.

    Raises:
        UserError: vl-convert is not installed.
    """
    try:
        import vl_convert
    except ImportError as error:
        raise UserError(f"a page needs further packages: {install('page')}") from error
    return packed_text(vl_convert.javascript_bundle("globalThis.vegaEmbed = vegaEmbed;"))


@cache
def tables() -> str:
    """DataTables with its extensions, an ES module whose default is ``DataTable``, packed.

    Raises:
        UserError: itables is not installed.
    """
    # Found and not imported, which would bring pandas along.
    found = find_spec("itables")
    if found is None or found.origin is None:
        raise UserError(f"a page needs further packages: {install('page')}")
    return packed_text((Path(found.origin).parent / "html" / "dt_bundle.js").read_text(encoding="utf-8"))
