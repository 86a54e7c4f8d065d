"""A class of one's own that cannot be made, or whose defaults are no settings, is refused where it is registered."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest
from commands import cli
from pydantic import Field

from vdu_bench.data.catalog import SOURCES
from vdu_bench.engine.plugins import load_plugin
from vdu_bench.errors import UserError
from vdu_bench.methods.catalog import METHODS, make_method
from vdu_bench.metrics.catalog import METRICS
from vdu_bench.own_classes import check_defaults
from vdu_bench.probes.catalog import PROBES
from vdu_bench.spec import Spec

HEAD = """
from pydantic import Field
from vdu_bench.data.source import DataSource
from vdu_bench.methods.method import LossMethod, Method
from vdu_bench.metrics.metric import Metric, unknown
from vdu_bench.probes.probe import Probe
from vdu_bench.spec import Spec
"""
METHOD = """
class {name}(Method):
    def unlearn(self, model, context):
        return model

"""


@pytest.fixture(autouse=True)
def nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is gone with it."""
    for registry in (METHODS, PROBES, METRICS, SOURCES):
        monkeypatch.setattr(registry, "_entries", dict(registry.entries()))
        monkeypatch.setattr(registry, "_loaded", {})


def plugin(tmp_path: Path, name: str, body: str, text: str = METHOD) -> Path:
    file = tmp_path / f"{name.lower()}.py"
    file.write_text(HEAD + text.format(name=name) + textwrap.indent(textwrap.dedent(body), "    "))
    return file


SETTINGLESS = "def __init__(self):\n    pass\n"
WRONG: dict[str, tuple[str, str]] = {
    "takes none": (SETTINGLESS, r"Wrong.__init__ does not take its settings: write def __init__\(self, settings=None,"),
    "by name alone": ("def __init__(self, *, settings=None):\n    pass\n", "does not take its settings"),
    "a need": ("needs = 'prompts'\n", r"its needs are 'prompts', and not a tuple, such as \('prompts',\)"),
    "several needs": ("needs = 'prompts,posterior'\n", "and not a tuple of some of 'forget_images', 'retain_images'"),
    "no need": ("needs = ('promts',)\n", "it names an unknown need 'promts'; did you mean 'prompts'"),
    "type": (
        "class Settings(Spec):\n    hold: int = 'x'\n",
        r"Wrong.Settings.hold: its default cannot be given: 'x' is not a whole number",
    ),
    "range": (
        "class Settings(Spec):\n    hold: int = Field(0, gt=0)\n",
        r"Wrong.Settings.hold: its default cannot be given: 0 should be greater than 0",
    ),
    "spelling": (
        "class Settings(Spec):\n    hold: int = '3'\n",
        r"Wrong.Settings.hold: its default, '3', is read as 3: write that",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_method_that_cannot_be_made_is_refused(name: str, tmp_path: Path) -> None:
    body, words = WRONG[name]
    with pytest.raises(UserError, match=rf"plug-in .*wrong.py: the method 'wrong': .*{words}"):
        load_plugin(plugin(tmp_path, "Wrong", body))
    assert "wrong" not in METHODS.entries()


PROBE = "class {name}(Probe):\n    def draw(self, model, context):\n        return {{}}\n\n"
METRIC = "class {name}(Metric):\n    def compute(self, evidence):\n        return unknown('')\n\n"
SOURCE = (
    "class {name}(DataSource):\n    def roots(self, d):\n        return []\n\n    def load(self, d):\n        pass\n\n"
)


@pytest.mark.parametrize(
    ("text", "body", "words"),
    [
        (PROBE, SETTINGLESS, "the probe 'wrong': Wrong.__init__ does not take its settings"),
        (PROBE, "class Settings(Spec):\n    hold: int = 'x'\n", "Wrong.Settings.hold: its default cannot be given"),
        (
            METRIC,
            "def __init__(self, a, b=1, *c):\n    pass\n",
            "the metric 'wrong': Wrong.__init__ asks for a, and it",
        ),
        (SOURCE, "kept: int = 'x'\n", "the data source 'wrong': Wrong.kept: its default cannot be given: 'x' is not"),
    ],
)
def test_and_so_is_what_else_a_plug_in_has(text: str, body: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=words):
        load_plugin(plugin(tmp_path, "Wrong", body, text))
    assert not any("wrong" in registry.entries() for registry in (PROBES, METRICS, SOURCES))


def test_an_installed_one_is_refused_where_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin(tmp_path, "Installed", SETTINGLESS)
    monkeypatch.syspath_prepend(tmp_path)
    METHODS.add("installed", "installed:Installed")
    with pytest.raises(UserError, match="the method 'installed': Installed.__init__ does not take its settings"):
        make_method("installed", {})


def test_a_method_that_drops_its_settings_is_told(tmp_path: Path) -> None:
    load_plugin(plugin(tmp_path, "Dropping", "def __init__(self, settings):\n    pass\n"))
    with pytest.raises(UserError, match="the method 'dropping': Dropping.__init__ drops its settings: let it call"):
        make_method("dropping", {})


def test_one_that_hands_its_settings_on_is_taken(tmp_path: Path) -> None:
    body = """
    class Settings(Spec):
        hold: float = 3
        given: int

    def __init__(self, settings=None, /, **values):
        super().__init__(settings, **values)
    """
    load_plugin(plugin(tmp_path, "Right", body))
    made: Any = make_method("right", {"given": 2})
    assert (made.settings.hold, type(made.settings.hold)) == (3, int), "a default is digested as it is written"


class Inner(Spec):
    steps: int = Field(0, gt=0)


class Outer(Spec):
    inner: Inner = Inner()


def test_defaults_of_nested_settings_are_looked_at() -> None:
    with pytest.raises(UserError, match="Outer.inner.steps: its default cannot be given: 0 should be greater than 0"):
        check_defaults(Outer, "Outer")


@pytest.mark.parametrize("registry", [METHODS, PROBES, METRICS, SOURCES], ids=lambda registry: registry.kind)
def test_all_of_ours_are_taken(registry: Any) -> None:
    for name, entry in registry.entries().items():
        if entry.file is None and entry.target.startswith("vdu_"):
            registry.check(name, registry.get(name))


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (["--methods", "zzz"], " (vdu-bench list methods names them); one of your own needs --plugin FILE\n"),
        (["--methods", "vdu", "--attacks", "zzz"], "; one of your own needs --plugin FILE"),
        (["--methods", "esdd"], "; did you mean 'esd'?\n"),
        (["--methods", "ESD"], "; did you mean 'esd'?\n"),
    ],
)
def test_a_name_that_nobody_has_may_be_of_a_plug_in(
    what: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cli("run", "-q", "--task", "digits_1", *what, "--out", tmp_path / "out", code=2)
    assert words in capsys.readouterr().err
