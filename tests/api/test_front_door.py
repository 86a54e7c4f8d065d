"""The package's own names: importing it costs nothing, and each name leads to what it says."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import vdu_bench


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = (
        "import sys, vdu_bench; dir(vdu_bench); vdu_bench.__version__; "
        "heavy = {'torch', 'pandas', 'numpy', 'scipy', 'diffusers', 'pydantic', 'rich'} & set(sys.modules); "
        "assert not heavy, heavy; "
        "vdu_bench.load, vdu_bench.Task, vdu_bench.DataSource, vdu_bench.UserError; "
        "heavy = {'torch', 'pandas', 'scipy', 'diffusers', 'matplotlib'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_name_leads_somewhere_and_is_documented() -> None:
    assert set(vdu_bench.__all__) == set(vdu_bench._HOMES)
    assert vdu_bench.__all__ == sorted(vdu_bench.__all__)
    for name in vdu_bench.__all__:
        found = getattr(vdu_bench, name)
        assert found.__name__ == name
        assert inspect.getdoc(found)
        assert name in dir(vdu_bench)
    # What a type checker is told is what there is.
    told = inspect.getsource(vdu_bench).partition("if TYPE_CHECKING:")[2].partition("__all__")[0]
    for name, home in vdu_bench._HOMES.items():
        assert any(f"vdu_bench.{home} import" in line and name in line for line in told.splitlines()), name


def test_no_other_name() -> None:
    with pytest.raises(AttributeError, match="module 'vdu_bench' has no attribute 'unlearned'"):
        vdu_bench.unlearned  # noqa: B018
