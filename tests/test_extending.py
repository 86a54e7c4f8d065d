"""Each step that docs/extending.md and docs/own_data.md describe."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.resources import files
from pathlib import Path
from string import Template

import pytest
import yaml

from vdu_bench.tasks.loading import find_task

ROOT = Path(__file__).parent.parent
EXTENDING = (ROOT / "docs" / "extending.md").read_text()


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


def written(template: str, name: str, class_name: str) -> str:
    """What `vdu-bench new` writes, which a test of its own runs."""
    text = (files("vdu_bench.cli") / "templates" / f"{template}.txt").read_text()
    return Template(text).substitute(name=name, class_name=class_name, file=f"{name}.py")


PLUGINS = {"my_method": "MyMethod", "my_metric": "MyMetric", "my_probe": "MyProbe"}


def test_the_examples_are_what_the_commands_write() -> None:
    assert blocks(EXTENDING, "python") == [
        written(name.removeprefix("my_"), name, class_name) for name, class_name in PLUGINS.items()
    ]


def test_what_an_attack_needs_is_imported_from_where_the_page_says() -> None:
    attack = written("attack", "my_attack", "MyAttack")
    for name in ("look_name", "ask_for_concept", "UNATTACKED"):
        assert re.search(rf"^from vdu_bench.probes.attack import .*\b{name}\b", attack, re.MULTILINE)
        assert name in EXTENDING.partition("### An attack")[2].partition("###")[0]


@pytest.mark.parametrize("page", ["extending", "own_data"])
def test_the_task_files_can_be_read(page: str, tmp_path: Path) -> None:
    shown = blocks((ROOT / "docs" / f"{page}.md").read_text(), "yaml")
    # A file of several tasks is a package's.
    texts = {content["name"]: text for text in shown if "tasks" not in (content := yaml.safe_load(text))}
    for name, text in texts.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    for name in texts:
        assert find_task(str(tmp_path / f"{name}.yaml")).name == name


(FAMILY,) = [text for text in blocks(EXTENDING, "yaml") if "tasks" in yaml.safe_load(text)]
SETUPTOOLS, HATCHLING = blocks(EXTENDING, "toml")


def hatchling_project() -> str:
    """The first project file with the second's build system in place of its own, as the page says."""
    tables = re.split(r"(?m)^(?=\[)", SETUPTOOLS)
    kept = [table for table in tables if not table.startswith(("[build-system]", "[tool."))]
    return HATCHLING + "\n" + "".join(kept)


CHECK = """
import json
from vdu_bench.methods.catalog import METHODS
from vdu_bench.metrics.catalog import METRICS
from vdu_bench.probes.catalog import PROBES
from vdu_bench.tasks.loading import catalog
found = [METHODS.get("my_method"), METRICS.get("my_metric"), METRICS.get("my_probe_rate"), PROBES.get("my_probe")]
tasks = [catalog()[name] for name in ("ones_of_ten", "eights_of_ten")]
said = [[task.forget, task.family, task.forget_images, task.sampler.steps, task.samples] for task in tasks]
print(json.dumps([[one.__module__ for one in found], said]))
"""


@pytest.mark.parametrize("project", [SETUPTOOLS, hatchling_project()], ids=["setuptools", "hatchling"])
def test_a_package_is_found_by_its_entry_points(project: str, tmp_path: Path) -> None:
    assert tomllib.loads(project)["project"]["entry-points"]
    package = tmp_path / "project" / "my_unlearning"
    package.mkdir(parents=True)
    (package.parent / "pyproject.toml").write_text(project)
    (package / "__init__.py").write_text("")
    for name, class_name in PLUGINS.items():
        (package / f"{name}.py").write_text(written(name.removeprefix("my_"), name, class_name))
    (package / "tasks.yaml").write_text(FAMILY)
    target = tmp_path / "installed"
    # Without a network: the build back end is the one that is installed, and what the package needs is there.
    install = [*("-m", "pip", "install", "--quiet", "--no-build-isolation", "--no-deps", "--no-index"), "--target"]
    subprocess.run([sys.executable, *install, target, package.parent], check=True, capture_output=True)
    path = os.pathsep.join(filter(None, [str(target), os.environ.get("PYTHONPATH", "")]))
    elsewhere = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "-c", CHECK], capture_output=True, text=True, check=False, env=elsewhere, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    modules, tasks = json.loads(done.stdout)
    assert modules == [f"my_unlearning.{name}" for name in ("my_method", "my_metric", "my_probe", "my_probe")]
    assert tasks == [["1", "digits", 10, 50, 2000], ["8", "digits", 10, 50, 1000]]
    assert "warning" not in done.stderr


def test_from_python_a_plug_in_is_known_by_its_name(tmp_path: Path) -> None:
    (example,) = [text for text in blocks((ROOT / "docs" / "python.md").read_text(), "python") if "plugins=" in text]
    (tmp_path / "my_method.py").write_text(written("method", "my_method", "MyMethod"))
    # The cells that it asks for, in place of a run of minutes.
    stop = "api.running.run_cells = lambda cells, *_, **__: exit('asked for ' + ' '.join(c.name for c in cells))"
    before = f"import vdu_bench\nfrom vdu_bench import api\nimport vdu_bench.api.running\n{stop}\n"
    done = subprocess.run(
        [sys.executable, "-c", before + example], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert "asked for digits_1/original/seed0" in done.stderr
    assert "digits_1/my_method/seed0" in done.stderr
