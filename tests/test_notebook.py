"""The notebook in the documents runs from its first cell to its last, and is kept without what it printed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).parent.parent / "docs" / "notebook.ipynb"


@pytest.fixture(scope="module")
def notebook() -> Any:
    nbformat = pytest.importorskip("nbformat", reason="the extra 'test' is not installed")
    return nbformat.read(FILE, as_version=4)


def test_it_is_kept_without_outputs(notebook: Any) -> None:
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert not cell.get("execution_count")


def test_it_runs(notebook: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbclient = pytest.importorskip("nbclient", reason="the extra 'test' is not installed")
    monkeypatch.setenv("VDU_BENCH_STORE", str(tmp_path / "store"))
    client = nbclient.NotebookClient(notebook, timeout=1200, resources={"metadata": {"path": str(tmp_path)}})
    shown = [cell.outputs for cell in client.execute().cells if cell.cell_type == "code"]
    tables = [
        output.data["text/html"] for outputs in shown for output in outputs if "text/html" in output.get("data", {})
    ]
    # Two leaderboards, two frames and a picture between them.
    assert [text.count("<table") for text in tables] == [1, 1, 1, 0, 1]
    assert "data:image/png;base64," in tables[3]
    assert "mine (external)" in tables[-1]
    assert (tmp_path / "no_ones" / "model_index.json").is_file()
