"""Plug-ins of data alone, and entry points of other packages that do not work."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from commands import cli

from vdu_bench.data.catalog import SOURCES

DATA = '''
"""Two sources: a function, and one with an option."""

from __future__ import annotations

from vdu_bench.data.source import DataSource
from vdu_bench.data.splits import DataSplits


def load_my_digits() -> DataSplits:
    """The digits, in another place."""
    from vdu_bench.data.sources.digits import load_digits

    return load_digits()


class FewDigits(DataSource):
    """Some of the digits."""

    kept: int = 1000

    def roots(self, data_dir):
        return []

    def load(self, data_dir):
        splits = load_my_digits()
        import torch

        return DataSplits(splits.train.subset(torch.arange(self.kept)), splits.held_out)
'''


@pytest.fixture
def own_data(tmp_path: Path) -> Path:
    """A plug-in file of data alone."""
    file = tmp_path / "own_data.py"
    file.write_text(DATA)
    return file


def test_prepare_takes_a_plug_in_that_is_data_alone(
    own_data: Path, tiny_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tiny_file.read_text().replace("family: tiny", "family: own")
    (tmp_path / "own.yaml").write_text(text.replace("data: sklearn_digits", "data: {source: few_digits, kept: 900}"))
    cli("prepare", "-q", "--task", tmp_path / "own.yaml", "--plugin", own_data, "--store", tmp_path / "store")
    assert "own/base" in capsys.readouterr().out
    assert len(SOURCES.get("few_digits").model_validate({"kept": 900}).load(None).train) == 900  # type: ignore[union-attr]
    assert len(SOURCES.get("my_digits")().train) > 900  # type: ignore[operator, union-attr, arg-type]


BROKEN = """
[vdu_bench.methods]
gone = nowhere_to_be_found.methods:Gone
unreadable = broken_package.unreadable:Unreadable
exploding = broken_package.exploding.inside:Exploding
needy = broken_package.needy:Needy
vdu = broken_package.needy:Needy

[vdu_bench.metrics]
gone_metric = nowhere_to_be_found:Gone

[vdu_bench.tasks]
gone_family = nowhere_to_be_found:tasks.yaml
malformed_family = broken_package:malformed.yaml
"""


@pytest.fixture
def broken_package(tmp_path: Path) -> dict[str, str]:
    """An environment with an installed package whose entry points are wrong in every way."""
    facts = tmp_path / "broken_package-1.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-package\nVersion: 1\n")
    (facts / "entry_points.txt").write_text(BROKEN)
    package = tmp_path / "broken_package"
    (package / "exploding").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "unreadable.py").write_text("class Unreadable(\n")
    (package / "exploding" / "__init__.py").write_text("raise RuntimeError('not today')\n")
    (package / "exploding" / "inside.py").write_text("class Exploding: pass\n")
    (package / "needy.py").write_text("class Needy:\n    supports = ()\n    needs = ('the moon',)\n")
    (package / "malformed.yaml").write_text("tasks: [\n")
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": path}


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "vdu_bench", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


@pytest.mark.parametrize(
    ("kind", "there", "named"),
    [
        ("methods", "vdu", ["gone", "unreadable", "exploding", "needy", "vdu = broken_package"]),
        ("metrics", "pul", ["gone_metric"]),
        ("tasks", "digits_1", ["gone_family", "malformed_family"]),
    ],
)
def test_a_broken_entry_point_is_named_and_the_list_goes_on(
    broken_package: dict[str, str], kind: str, there: str, named: list[str]
) -> None:
    done = run(broken_package, "list", kind, "--format", "json")
    assert done.returncode == 0, done.stderr
    assert there in {row["name"] for row in json.loads(done.stdout)}
    warnings = [line for line in done.stderr.splitlines() if line]
    assert all(line.startswith("vdu-bench: warning: ") and "left out" in line for line in warnings), done.stderr
    assert len(warnings) == len(named)
    for name in named:
        assert any(name in line for line in warnings), (name, done.stderr)


def test_a_run_goes_on_without_a_broken_metric_and_names_it_once(
    broken_package: dict[str, str], tiny_file: Path, tmp_path: Path
) -> None:
    place = ["--store", str(tmp_path / "store"), "--out", str(tmp_path / "out")]
    done = run(broken_package, "run", "--task", str(tiny_file), "--methods", "vdu", *place)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("warning: the metric gone_metric is left out") == 1
    record = json.loads((tmp_path / "out" / "records" / "tiny" / "vdu" / "seed0.json").read_text())
    assert "pul" in record["metrics"]
    assert "gone_metric" not in record["metrics"]


def test_what_works_can_be_shown_and_what_does_not_is_an_error_where_it_is_asked_for(
    broken_package: dict[str, str],
) -> None:
    assert "eta" in run(broken_package, "show", "esd").stdout
    asked = run(broken_package, "show", "unreadable")
    assert (asked.returncode, asked.stdout) == (2, "")
    assert "fails to import: SyntaxError" in asked.stderr
    assert "Traceback" not in asked.stderr
