"""Whatever names the version names the same one."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import yaml

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
