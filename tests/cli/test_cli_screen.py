"""Options of the command line that decide what is asked for and shown: seeds, configuration, version, completion."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from commands import bad_file, cli

from vdu_bench import __version__
from vdu_bench.cli.completion import complete_methods, complete_names, complete_tasks
from vdu_bench.cli.options import seeds_in

HEAVY = ("torch", "diffusers", "pandas", "scipy")


@pytest.mark.parametrize(
    ("text", "seeds"), [("0", [0]), ("0-4", [0, 1, 2, 3, 4]), ("0-2,7", [0, 1, 2, 7]), ("3,1", [3, 1]), ("2-2", [2])]
)
def test_seeds_come_in_ranges(text: str, seeds: list[int]) -> None:
    assert seeds_in(text) == seeds


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    cli("--version")
    assert capsys.readouterr().out == f"vdu-bench {__version__}\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("taks: digits_1", "there is no option 'taks'; did you mean 'task'?"),
        ("{task: digits_1, jobs: two}", "jobs"),
        ("{task: digits_1, fresh: 3}", "fresh is true or false, not 3"),
        ("{task: digits_1, out: {a: 1}}", "out is a text, a number or a list"),
        ("{task: digits_1, settings: {vdu: 3}}", "settings is malformed: vdu"),
        ("{task: digits_1, methods: [vdu, nope]}", "unknown method 'nope'"),
    ],
)
def test_a_mistake_in_a_configuration_is_one_line(
    tmp_path: Path, content: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = bad_file(tmp_path, "exp.yaml", content)
    cli("run", "--config", file, "--store", tmp_path / "s", code=2)
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert said.startswith("vdu-bench: ")


def test_a_configuration_is_an_experiment_and_the_command_line_goes_over_it(
    tmp_path: Path, tiny_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = bad_file(
        tmp_path,
        "exp.yaml",
        f"task: {tiny_file}\nmethods: [vdu]\nseeds: [0, 1]\nsettings: {{vdu: {{gamma: 0.3}}}}\ndry-run: true\n",
    )
    places = ("--store", tmp_path / "s", "--out", tmp_path / "o")
    cli("run", "--config", file, *places)
    said = capsys.readouterr()
    assert f"store: {tmp_path / 's'}" in said.err.splitlines()[0]
    row = next(line.split() for line in said.out.splitlines() if "vdu+gamma=0.3" in line)
    assert row[:6] == ["tiny/vdu+gamma=0.3", "0,", "1", "0", "of", "2"]
    cli("run", "--config", file, *places, "--seeds", "5", "--set", "vdu.gamma=0.9")
    row = next(line.split() for line in capsys.readouterr().out.splitlines() if "vdu+" in line)
    assert row[:4] == ["tiny/vdu+gamma=0.9", "5", "0", "of"]
    assert not (tmp_path / "o").exists()


def test_names_are_completed_after_a_comma() -> None:
    assert complete_tasks("digits_1,di") == ["digits_1,digits_8"]
    assert complete_methods("vd") == ["vdu", "vdu_contrast"]
    assert complete_names("digits_8") == ["digits_8"]
    assert complete_names("image_f") == ["image_folder"]


def test_a_shell_completes_without_anything_heavy() -> None:
    code = f"""
import sys
from vdu_bench.cli.main import main
sys.argv = ["vdu-bench"]
try:
    main()
except SystemExit as stop:
    assert stop.code == 0, stop.code
print("HEAVY:", [name for name in {HEAVY!r} if name in sys.modules])
"""
    asked = {"_VDU_BENCH_COMPLETE": "complete_bash", "COMP_WORDS": "vdu-bench run --task faces_h", "COMP_CWORD": "3"}
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, **asked}
    )
    assert found.stdout.split() == ["faces_hats", "HEAVY:", "[]"]
