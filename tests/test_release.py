"""Whatever names the version names the same one."""

from __future__ import annotations

import configparser
import json
import re
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement

import vdu_bench

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_licence_is_that_of_all_that_the_package_holds() -> None:
    shipped = json.loads((ROOT / "vdu_bench" / "assets" / "faces" / "manifest.json").read_text())
    assert shipped["licence"].startswith("CC0 1.0 Universal")
    assert PROJECT["license"] == "Apache-2.0 AND CC0-1.0"
    assert all((ROOT / file).is_file() for file in PROJECT["license-files"])


def test_citation_changelog_and_readme_name_the_package_s_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    found = re.search(r"^## (\S+) - (\d{4}-\d\d-\d\d)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert found is not None
    version, date = found.groups()
    assert version == citation["version"] == vdu_bench.__version__
    assert date == str(citation["date-released"])
    readme = (ROOT / "README.md").read_text()
    assert f"version = {{{version}}}" in readme
    assert citation["title"] in readme
    assert citation["references"][0]["title"] in readme


def test_ci_tries_the_lowest_python_and_packages_with_the_extras_that_tests_take() -> None:
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "tests.yml").read_text())["jobs"]
    lowest = PROJECT["requires-python"].removeprefix(">=")
    assert jobs["tox"]["strategy"]["matrix"]["python"] == [lowest]
    (setup,) = [step["with"] for step in jobs["lowest"]["steps"] if "setup-python" in step.get("uses", "")]
    assert setup["python-version"] == lowest
    (install,) = [step["run"] for step in jobs["lowest"]["steps"] if "lowest-direct" in step.get("run", "")]
    tox = configparser.ConfigParser()
    tox.read(ROOT / "tox.ini")
    (extras,) = re.findall(r"'\.\[(.*)\]'", install)
    assert set(extras.split(",")) == set(tox["testenv:tests"]["extras"].split())
    assert "pytest -n 2 --dist loadfile --no-loadscope-reorder" in tox["testenv:tests"]["commands"]
    assert jobs["lowest"]["steps"][-1]["run"] == "pytest -n 2 --dist loadfile --no-loadscope-reorder"


def test_every_package_has_a_lower_bound_that_ci_can_try() -> None:
    extras = PROJECT["optional-dependencies"]
    wanted = [
        *PROJECT["dependencies"],
        *(one for name in extras if name not in ("docs", "lint") for one in extras[name]),
    ]
    free = [one for one in map(Requirement, wanted) if not any(bound.operator == ">=" for bound in one.specifier)]
    # The bound of transformers is that of the package itself; the extra's is above.
    assert {one.name for one in free} <= {"transformers"}
