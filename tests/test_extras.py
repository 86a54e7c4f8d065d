"""What an extra takes, against pyproject.toml and pip's own reading of it."""

from __future__ import annotations

import shlex
import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from vdu_bench.extras import install

DECLARED = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.mark.parametrize("extra", DECLARED["optional-dependencies"])
def test_the_command_names_all_that_the_extra_takes_and_nothing_else(extra: str) -> None:
    command = shlex.split(install(extra))
    assert command[:2] == ["pip", "install"]
    wanted = map(Requirement, DECLARED["optional-dependencies"][extra])
    assert set(map(Requirement, command[2:])) == set(wanted)


def test_of_code_that_was_never_installed_it_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_: str) -> list[str]:
        raise PackageNotFoundError

    monkeypatch.setattr("vdu_bench.extras.requires", unknown)
    assert install("page") == "pip install '.[page]'"
