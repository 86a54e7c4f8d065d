"""What the tests of figures share."""

from __future__ import annotations

import pytest
from matplotlib.figure import Figure

from vdu_bench.reports.plots import style


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are written from here on."""
    written: list[Figure] = []
    real = style._bitmap

    def kept(figure: Figure, dpi: int) -> bytes:
        if figure not in written:
            written.append(figure)
        return real(figure, dpi)

    monkeypatch.setattr(style, "_bitmap", kept)
    return written
