"""A class is read with its bases, from whatever file they stand in, and nothing is run for it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from vdu_bench.module_files import locate
from vdu_bench.static_class import StaticClass


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package that re-exports a class whose base stands in a third file."""
    root = tmp_path / "re_exporting"
    (root / "inner").mkdir(parents=True)
    (root / "__init__.py").write_text("from .probes import Mine as Ours, Computed, Looped\n")
    (root / "inner" / "__init__.py").write_text("")
    (root / "inner" / "base.py").write_text("class Base:\n    needs = ('a',)\n    attack = True\n    unit = '%'\n")
    (root / "probes.py").write_text(
        "from re_exporting.inner.base import Base\n"
        "from .probes import Looped as Again\n"
        "1 / 0\n"
        "class Mine(Base):\n    '''Tries.'''\n    unit: str = 's'\n"
        "class Computed(Mine):\n    needs = tuple('b')\n"
        "class Looped(Again):\n    x = 1\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    locate.cache_clear()
    yield root
    locate.cache_clear()
    sys.modules.pop("re_exporting", None)


def test_re_exported_and_inherited_facts_are_found(package: Path) -> None:
    found = StaticClass.read(package / "__init__.py", "Ours")
    assert found.summary == "Tries."
    assert found.literals == {"needs": ("a",), "attack": True, "unit": "s"}
    assert found.says("needs", "attack", "unit")
    assert not found.says("needs", "supports")


def test_what_is_computed_is_not_taken_from_a_base(package: Path) -> None:
    found = StaticClass.read(package / "__init__.py", "Computed")
    assert "needs" not in found.literals
    assert found.literals["attack"] is True


def test_a_circle_ends(package: Path) -> None:
    assert StaticClass.read(package / "__init__.py", "Looped").literals == {"x": 1}
    assert StaticClass.read(package / "__init__.py", "Nobody") == StaticClass()
