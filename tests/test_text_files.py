"""Text is UTF-8 on every machine, whatever its locale: in what is read, and in what is written."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from vdu_bench.errors import UserError
from vdu_bench.tasks.loading import read_tasks

ROOT = Path(__file__).parents[1]
SOURCES = sorted(file for name in ("vdu_bench", "baselines", "benchmarks") for file in (ROOT / name).rglob("*.py"))


def _in_locale(call: ast.Call) -> bool:
    """Whether a call reads or writes text in the machine's own encoding."""
    words = {keyword.arg for keyword in call.keywords}
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    if name in ("read_text", "write_text"):
        return "encoding" not in words
    if name != "open" or not isinstance(call.func, ast.Name):
        return False
    mode = call.args[1] if len(call.args) > 1 else next((k.value for k in call.keywords if k.arg == "mode"), None)
    return "encoding" not in words and not (isinstance(mode, ast.Constant) and "b" in str(mode.value))


def test_no_text_is_in_the_machine_s_own_encoding() -> None:
    found = [
        f"{file.relative_to(ROOT).as_posix()}:{node.lineno}"
        for file in SOURCES
        for node in ast.walk(ast.parse(file.read_bytes()))
        if isinstance(node, ast.Call) and _in_locale(node)
    ]
    assert found == []


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_task_file_is_the_same_on_every_machine(mark: str, tiny_faces_file: Path, tmp_path: Path) -> None:
    text = tiny_faces_file.read_text(encoding="utf-8")
    words = "a p\u00e9rson \u4eba"
    changed = text.replace("subjects: [", f'subjects: ["{words}", ', 1)
    assert changed != text
    file = tmp_path / "mine.yaml"
    file.write_text(mark + changed, encoding="utf-8")
    code = (
        "import sys; from vdu_bench.tasks.loading import read_tasks; from pathlib import Path\n"
        "task = read_tasks(Path(sys.argv[1]))[0]\n"
        "sys.stdout.buffer.write(task.prompts.captions.subjects[0].encode())"
    )
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    found = subprocess.run([sys.executable, "-c", code, file], env=environment, capture_output=True, check=True)
    assert found.stdout.decode() == words
    assert (task := read_tasks(file)[0]).prompts is not None
    assert task.prompts.captions.subjects[0] == words


def test_a_file_in_another_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_bytes("name: p\u00e9rson\n".encode("cp1252"))
    with pytest.raises(UserError, match=r"mine\.yaml is not UTF-8 \(byte 7\)"):
        read_tasks(tmp_path / "mine.yaml")
