"""Which code decides what: imports that are really made, without comments, a plug-in's own modules included."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import vdu_bench.engine.code as code
from vdu_bench.engine.code import code_digest
from vdu_bench.engine.plugins import load_plugin
from vdu_bench.engine.stages import external, images, posterior, unlearned
from vdu_bench.engine.usage import pipeline_code
from vdu_bench.errors import UserError
from vdu_bench.methods.catalog import METHODS
from vdu_bench.metrics.catalog import METRICS
from vdu_bench.module_files import locate
from vdu_bench.probes.catalog import PROBES
from vdu_bench.registry import Entry
from vdu_bench.tasks.task import Task

METHOD = '''"""A method."""
from theirs.helper import strength
from theirs import constants  # a module by way of its package


class Theirs:
    """Does something."""

    def loss(self):
        """In words."""
        from .late import more
        return strength() * constants.K + more
'''


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A third party's package with a method in three modules."""
    root = tmp_path / "theirs"
    root.mkdir()
    (root / "__init__.py").write_text("")
    (root / "method.py").write_text(METHOD)
    (root / "helper.py").write_text("def strength():\n    return 2\n")
    (root / "constants.py").write_text("K = 3\n")
    (root / "late.py").write_text("more = 1\n")
    (root / "apart.py").write_text("unused = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield root
    sys.modules.pop("theirs", None)


def modules_of(name: str) -> list[str]:
    """The modules whose code counts for a module, by dotted name, sorted."""
    return sorted(code._closure(name, None))


def digest(*follow: str | Entry) -> str:
    """As another process would see it."""
    for cached in (code._closure, code._is_worked_on, code._extensions, locate):
        cached.cache_clear()
    code._SOURCES.clear()
    return code_digest(follow)


def edited(file: Path, before: str, after: str) -> None:
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after))


def test_helper_modules_of_a_third_party_s_method_count(package: Path) -> None:
    first = digest("theirs.method")
    assert "theirs.apart" not in modules_of("theirs.method")
    for name, before, after in (
        ("helper", "return 2", "return 3"),
        ("constants", "K = 3", "K = 4"),
        ("late", "more = 1", "more = 2"),
        ("method", "strength() *", "strength() +"),
        ("__init__", "", "import json\n"),
    ):
        edited(package / f"{name}.py", before, after)
        second = digest("theirs.method")
        assert second != first, name
        first = second
    edited(package / "apart.py", "1", "2")
    assert digest("theirs.method") == first


def test_comments_docstrings_and_layout_do_not_count(package: Path) -> None:
    first = digest("theirs.method")
    edited(package / "method.py", '"""Does something."""', '"""Does something else."""\n\n    # A remark.\n')
    edited(package / "method.py", '        """In words."""\n', "")
    edited(package / "helper.py", "return 2", "return (  2 )  # two")
    edited(package / "constants.py", "K = 3\n", 'K = 3\n"""What it is."""\n')
    assert digest("theirs.method") == first
    edited(package / "method.py", "from theirs.helper", "from typing import TYPE_CHECKING\nfrom theirs.helper")
    second = digest("theirs.method")
    edited(package / "method.py", "class Theirs", "if TYPE_CHECKING:\n    import theirs.apart\n\nclass Theirs")
    assert "theirs.apart" not in modules_of("theirs.method")
    assert digest("theirs.method") != second, "the statement itself counts"


def test_a_plug_in_file_s_neighbours_count(tmp_path: Path) -> None:
    plugin = tmp_path / "mine.py"
    plugin.write_text("import near\nimport json\nfrom vdu_bench.seeds import derive_seed\n")
    (tmp_path / "near.py").write_text("import nearer\n")
    (tmp_path / "nearer.py").write_text("a = 1\n")
    (tmp_path / "other.py").write_text("a = 1\n")
    entry = Entry("mine", "vdu_bench_plugin_mine:Mine", plugin)
    first = digest(entry)
    (tmp_path / "other.py").write_text("a = 2\n")
    assert digest(entry) == first
    (tmp_path / "nearer.py").write_text("a = 2\n")
    assert digest(entry) != first


def test_a_plug_in_that_is_run_once_more_counts_as_it_is_now(tmp_path: Path) -> None:
    """As in a notebook that stays open; what it imports stays as it was, as Python has it."""
    plugin = tmp_path / "mine.py"
    (tmp_path / "nearby.py").write_text("a = 1\n")
    source = "import nearby\n\nfrom vdu_bench.metrics.metric import Metric\n\n\nclass Mine(Metric):\n    rank = 1\n"
    source += "\n    def compute(self, evidence): ...\n"
    plugin.write_text(source)
    load_plugin(plugin)
    entry = METRICS.entries()["mine"]
    first = code_digest([entry])
    (tmp_path / "nearby.py").write_text("a = 2\n")
    load_plugin(plugin)
    assert code_digest([entry]) == first, "it has not been imported anew"
    edited(plugin, "rank = 1", "rank = 2")
    assert code_digest([entry]) == first, "what runs is what was loaded"
    load_plugin(plugin)
    assert code_digest([entry]) != first


def test_a_module_alone_counts_without_what_it_imports(package: Path) -> None:
    assert code_digest([], alone=["theirs.helper"]) != code_digest([], alone=["theirs.method"])
    digest()
    first = code_digest([], alone=["theirs.method"])
    edited(package / "helper.py", "return 2", "return 3")
    digest()
    assert code_digest([], alone=["theirs.method"]) == first
    edited(package / "method.py", "strength() *", "strength() +")
    digest()
    assert code_digest([], alone=["theirs.method"]) != first


def test_a_module_that_is_not_there_is_named() -> None:
    with pytest.raises(UserError, match=r"there is no module vdu_bench\.nothing"):
        code_digest(["vdu_bench.nothing"])


def reached(*starts: str) -> set[str]:
    return {module for start in starts for module in modules_of(start)}


def test_an_unlearned_model_hangs_on_what_made_it_and_on_nothing_else(tiny_task: Task) -> None:
    found = reached(METHODS.entry("vdu").module, "vdu_bench.methods.context", *pipeline_code(tiny_task))
    assert {"vdu_bench.methods.vdu", "vdu_bench.methods.whitening", "vdu_bench.models.training.fitting"} <= found
    assert {"vdu_bench.models.diffusion", "vdu_bench.seeds", "vdu_bench.data.image_set"} <= found
    for part in ("data.sources", "judges", "metrics", "probes", "engine", "reports", "stats"):
        assert not [name for name in found if name.startswith(f"vdu_bench.{part}")], part
    assert "vdu_baselines.esd" not in found
    assert "vdu_baselines.esd" in reached(METHODS.entry("esd").module)


def test_images_hang_on_the_probe_the_pipeline_and_the_sampler(tiny_task: Task, tiny_faces_task: Task) -> None:
    found = reached(PROBES.entry("pairs").module, "vdu_bench.probes.context", *pipeline_code(tiny_faces_task))
    assert {
        "vdu_bench.models.sampling",
        "vdu_bench.models.pipelines.text_to_image",
        "vdu_bench.data.captions",
        "vdu_bench.tasks.prompts",
    } <= found
    assert "vdu_bench.probes.samples" not in found
    assert "vdu_bench.models.pipelines.unconditional" not in found
    assert "vdu_bench.models.pipelines.unconditional" in reached(*pipeline_code(tiny_task))
    assert not [name for name in found if name.startswith(("vdu_bench.judges.classifier", "vdu_bench.engine"))]


def test_a_record_hangs_on_all_that_can_change_it() -> None:
    found = set(modules_of("vdu_bench.engine.worker"))
    for stage in (external, images, posterior, unlearned):
        assert stage.__name__ in found
    assert {"vdu_bench.engine.recording", "vdu_bench.records", "vdu_bench.judges.classifier.training"} <= found
    # These it reaches by their names, which the request adds.
    assert not [name for name in found if name.startswith(("vdu_bench.data.sources.", "vdu_bench.methods.vdu"))]
    assert not [name for name in found if name.startswith(("vdu_bench.cli", "vdu_bench.reports"))]


def test_a_library_that_somebody_works_on_counts(package: Path, tmp_path: Path) -> None:
    """As with an editable install: the plug-in imports it, and it lies in no folder of installed packages."""
    plugin = tmp_path / "elsewhere" / "mine.py"
    plugin.parent.mkdir()
    plugin.write_text("from theirs.method import Theirs\nimport torch\nimport json\n")
    entry = Entry("mine", "vdu_bench_plugin_mine:Mine", plugin)
    first = digest(entry)
    edited(package / "helper.py", "return 2", "return 3")
    assert digest(entry) != first
    assert not [name for name in code._closure("vdu_bench_plugin_mine", plugin) if name.startswith(("torch", "json"))]


def test_a_package_that_extends_the_suite_counts_wherever_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site-packages"
    for name in ("extends_the_suite", "extends_nothing"):
        (site / name).mkdir(parents=True)
        (site / name / "__init__.py").write_text("K = 1\n")
    (site / "extends_the_suite-1.0.dist-info").mkdir()
    (site / "extends_the_suite-1.0.dist-info" / "METADATA").write_text("Name: extends-the-suite\nVersion: 1.0\n")
    (site / "extends_the_suite-1.0.dist-info" / "entry_points.txt").write_text(
        "[vdu_bench.methods]\nx = extends_the_suite:X\n"
    )
    monkeypatch.syspath_prepend(site)
    plugin = tmp_path / "elsewhere" / "mine.py"
    plugin.parent.mkdir()
    plugin.write_text("import extends_the_suite\nimport extends_nothing\n")
    entry = Entry("mine", "vdu_bench_plugin_mine:Mine", plugin)
    first = digest(entry)
    edited(site / "extends_nothing" / "__init__.py", "K = 1", "K = 2")
    assert digest(entry) == first
    edited(site / "extends_the_suite" / "__init__.py", "K = 1", "K = 2")
    assert digest(entry) != first
    monkeypatch.undo()
    digest()
