"""A cell's error: its traceback in a file that is named, and the lines of a plug-in that led to it."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import cli

from vdu_bench.blame import blaming
from vdu_bench.debugging import VARIABLE, debugging, without_debug
from vdu_bench.engine.failures import forget_failure, plugin_frames, tell_failure, traceback_file
from vdu_bench.engine.plugins import load_plugin
from vdu_bench.engine.store import Store
from vdu_bench.methods.catalog import METHODS
from vdu_bench.models.posterior.gaussian import MomentAccumulator

PLUGIN = """
from typing import ClassVar
from vdu_bench.methods.method import Method
from beside_the_{module} import deeper

class {name}(Method):
    supports = ("unconditional",)
    needs = ()

    def unlearn(self, model, context):
        return deeper(context)
"""


@pytest.fixture(autouse=True)
def quiet_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "")


def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> BaseException:
    """The error of a plug-in that asks for something of the suite which fails."""
    beside = tmp_path / f"beside_the_{name.lower()}.py"
    beside.write_text("def deeper(context):\n    return context.posterior()  # too early\n")
    file = tmp_path / f"{name.lower()}.py"
    file.write_text(PLUGIN.format(name=name, module=name.lower()))
    monkeypatch.syspath_prepend(tmp_path)
    load_plugin(file)
    with pytest.raises(ValueError, match="two snapshots") as found:
        METHODS.get(name.lower())().unlearn(None, MomentAccumulator())
    return found.value


def test_only_the_plug_in_s_own_frames_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = plugin_frames(broken(tmp_path, monkeypatch, "Breaking"))
    assert frames == [
        f"{tmp_path / 'breaking.py'}:11 in unlearn: return deeper(context)",
        f"{tmp_path / 'beside_the_breaking.py'}:2 in deeper: return context.posterior()  # too early",
    ]
    with pytest.raises(ValueError, match="two snapshots") as ours:
        MomentAccumulator().posterior()
    assert plugin_frames(ours.value) == []


def test_frames_of_what_an_error_was_raised_from_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = broken(tmp_path, monkeypatch, "Splintering")
    with pytest.raises(RuntimeError, match="the metric x: ValueError: a posterior") as named, blaming("metric", "x"):
        raise error
    frames = plugin_frames(named.value)
    assert [line.partition(" in ")[0] for line in frames] == [
        f"{tmp_path / 'splintering.py'}:11",
        f"{tmp_path / 'beside_the_splintering.py'}:2",
    ]


def test_the_file_has_the_whole_of_it_and_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, said = Store(tmp_path / "store"), []
    error = broken(tmp_path, monkeypatch, "Shattering")
    tell_failure("digits_1/shattering/seed0", error, store, said.append)
    file = traceback_file("digits_1/shattering/seed0", store)
    assert said[0] == (
        "digits_1/shattering/seed0 broke off with ValueError: a posterior needs at least two snapshots; "
        f"its traceback is in {file}"
    )
    assert len(said) == 3
    text = file.read_text()
    assert text.startswith("Traceback (most recent call last):")
    assert text.endswith("ValueError: a posterior needs at least two snapshots\n")
    assert "gaussian.py" in text
    assert "gaussian.py" not in "".join(said)
    monkeypatch.setenv(VARIABLE, "1")
    tell_failure("digits_1/shattering/seed0", error, store, said.append)
    assert [line[2:] for line in said[4:]] == text.splitlines()
    forget_failure("digits_1/shattering/seed0", store)
    forget_failure("digits_1/shattering/seed0", store)
    assert not file.exists()


def test_a_store_that_takes_nothing_costs_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file, and no folder")
    said: list[str] = []
    tell_failure("a/b/seed0", RuntimeError("out of luck"), Store(tmp_path / "store"), said.append)
    assert "could not be kept:\nRuntimeError: out of luck" in said[0]


def test_debug_stands_anywhere_but_behind_a_double_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    assert without_debug(["run", "--", "--debug"]) == ["run", "--", "--debug"]
    assert not debugging()
    assert without_debug(["run", "--debug", "--task", "x"]) == ["run", "--task", "x"]
    assert debugging()
    monkeypatch.setenv(VARIABLE, "0")
    assert not debugging()


def test_debug_shows_where_a_mistake_was_found(capsys: pytest.CaptureFixture[str]) -> None:
    cli("show", "nothing_of_that_name", code=2)
    assert "Traceback" not in capsys.readouterr().err
    cli("show", "--debug", "nothing_of_that_name", code=2)
    said = capsys.readouterr().err
    assert "Traceback (most recent call last)" in said
    assert said.splitlines()[-1].startswith("vdu-bench: ")
