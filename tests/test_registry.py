from __future__ import annotations

import re
from importlib.metadata import distribution
from pathlib import Path

import pytest

from vdu_bench.errors import UserError
from vdu_bench.registry import Registry, import_plugin
from vdu_bench.static_class import StaticClass


def test_targets_are_imported_when_first_used() -> None:
    registry: Registry[type] = Registry("thing")
    registry.add("path", "pathlib:Path")
    registry.add("broken", "nothing_of_this_name:X")
    registry.add("lacking", "pathlib:Nothing")
    assert list(registry.entries()) == ["broken", "lacking", "path"]
    assert registry.get("path") is Path
    with pytest.raises(UserError, match="'broken' .* fails to import: ModuleNotFoundError"):
        registry.get("broken")
    with pytest.raises(UserError, match="fails to import: AttributeError"):
        registry.get("lacking")


def test_names_collide_unless_they_mean_the_same() -> None:
    registry: Registry[type] = Registry("thing")
    registry.add("path", "pathlib:Path")
    registry.add("path", "pathlib:Path")
    with pytest.raises(UserError, match="two things are called 'path': pathlib:Path and os:path; rename one"):
        registry.add("path", "os:path")
    with pytest.raises(UserError, match="two things are called 'path' and 'Path', which are one file where capitals"):
        registry.add("Path", "pathlib:PurePath")


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".x", "a\n", "x.", "x ", "con", "NUL", "Com1.x", "aux ."])
def test_a_name_is_fit_for_a_file(name: str) -> None:
    with pytest.raises(UserError, match="a thing cannot be called .*: it is a part of file names"):
        Registry("thing").add(name, "pathlib:Path")


def test_unknown_names_get_a_hint() -> None:
    registry: Registry[type] = Registry("thing")
    registry.add("gradient_ascent", "a:b")
    with pytest.raises(UserError, match="unknown thing 'gradient_acent'; did you mean 'gradient_ascent'"):
        registry.get("gradient_acent")
    with pytest.raises(UserError, match=r"unknown thing 'zzz' \(known: gradient_ascent\)"):
        registry.get("zzz")


def test_a_class_is_read_without_running_it(tmp_path: Path) -> None:
    file = tmp_path / "m.py"
    file.write_text(
        "raise SystemExit\n"
        "class Thing(Base):\n"
        '    """A line.\n\n    More."""\n'
        "    supports = ('a', 'b')\n"
        "    unit: str = '%'\n"
        "    computed = 1 + x\n"
    )
    static = StaticClass.read(file, "Thing")
    assert static.summary == "A line."
    assert static.literals == {"supports": ("a", "b"), "unit": "%"}
    assert StaticClass.read(file, "Other") == StaticClass()


def test_a_plug_in_that_fails_leaves_no_module_behind(tmp_path: Path) -> None:
    import sys

    file = tmp_path / "bad_one.py"
    file.write_text("1 / 0")
    with pytest.raises(UserError, match="ZeroDivisionError"):
        import_plugin(file)
    assert not [name for name in sys.modules if "bad_one" in name]


def test_a_plug_in_that_was_edited_is_read_again(tmp_path: Path) -> None:
    registry: Registry[type] = Registry("thing")
    file = tmp_path / "edited_one.py"
    found = []
    for value in (1, 2):
        # Of another length, since Python's cache of a module's bytecode goes by length and second.
        file.write_text(f"class Thing:\n    value = {value}\n" + "\n" * value)
        module = import_plugin(file)
        registry.add("thing", f"{module}:Thing", file)
        found.append(registry.get("thing").value)
    assert found == [1, 2]


def test_plug_ins_of_one_name_in_two_folders_are_two(tmp_path: Path) -> None:
    registry: Registry[type] = Registry("thing")
    modules = []
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
        file = tmp_path / folder / "same_name.py"
        file.write_text(f"class Thing:\n    place = {folder!r}\n")
        modules.append(import_plugin(file))
        registry.add(folder, f"{modules[-1]}:Thing", file)
    assert [registry.get(folder).place for folder in ("here", "there")] == ["here", "there"]
    assert [import_plugin(tmp_path / folder / "same_name.py") for folder in ("here", "there")] == modules
    with pytest.raises(UserError, match="two things are called 'here'"):
        registry.add("here", f"{modules[1]}:Thing", file)


def test_a_plug_in_takes_no_name_that_is_installed_however_early_it_comes(tmp_path: Path) -> None:
    registry: Registry[type] = Registry("method", "vdu_bench.methods")
    with pytest.raises(UserError, match="two methods are called 'esd': vdu_baselines.esd:.* and mine:Esd; rename one"):
        registry.add("esd", "mine:Esd", tmp_path / "mine.py")
    assert registry.entry("esd").target.startswith("vdu_baselines.")


@pytest.mark.parametrize("name", ["all", "none", "task"])
def test_what_commands_take_in_place_of_a_name_is_none(name: str) -> None:
    with pytest.raises(UserError, match=f"a thing cannot be called '{name}', which means something else"):
        Registry("thing").add(name, "pathlib:Path")


def test_a_plug_in_finds_what_lies_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "a_helper_beside.py").write_text("K = 3\n")
    file = tmp_path / "has_a_helper.py"
    file.write_text("import a_helper_beside\nclass Thing:\n    value = a_helper_beside.K\n")
    assert sys.modules[import_plugin(file)].Thing.value == 3
    del sys.modules["a_helper_beside"]


def test_a_class_of_another_make_is_told_by_what_it_lacks() -> None:
    registry: Registry[type] = Registry("thing")
    registry.add("path", "pathlib:Path")
    with pytest.raises(UserError, match="the thing 'path' .pathlib:Path. has no 'supports'"):
        registry.said("path", "supports")


def test_what_reads_the_metadata_of_all_packages_can_read_ours() -> None:
    # The packaging guide's object reference. importlib.metadata and pkg_resources break off at anything else.
    dotted = r"[^\W\d]\w*(\.[^\W\d]\w*)*"
    points = distribution("vdu-bench").entry_points
    assert {point.group for point in points} >= {"vdu_bench.methods", "vdu_bench.tasks"}
    assert [point for point in points if not re.fullmatch(f"{dotted}:{dotted}", point.value)] == []
    assert all(point.module and point.attr for point in points)
