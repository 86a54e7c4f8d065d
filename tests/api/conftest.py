from __future__ import annotations

from typing import Any

import pytest

from vdu_bench.errors import UserError


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the cells that a command asks for; it ends there, by an error that says "that was all"."""
    names: list[str] = []

    def stop(cells: list[Any], *_: object, **__: object) -> None:
        names.extend(cell.name for cell in cells)
        raise UserError("that was all")

    monkeypatch.setattr("vdu_bench.api.running.run_cells", stop)
    return names
