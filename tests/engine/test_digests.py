from __future__ import annotations

from pathlib import Path

import vdu_bench
from vdu_bench.engine.digests import EVERYTHING, SAMPLING, UNLEARNING, code_digest, tree_digest


def test_a_digest_sees_its_own_parts_and_no_others(tmp_path: Path) -> None:
    drawing = ("data/captions.py", "tasks/prompts.py", "engine/drawing.py")
    for name in ("methods/vdu.py", "models/a.py", "reports/bars.py", "cli.py", "seeds.py", "metrics/a.py", *drawing):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("a = 1")

    def changed(name: str) -> list[bool]:
        before = [tree_digest(tmp_path, parts) for parts in (SAMPLING, UNLEARNING, EVERYTHING)]
        (tmp_path / name).write_text((tmp_path / name).read_text() + "\n")
        after = [tree_digest(tmp_path, parts) for parts in (SAMPLING, UNLEARNING, EVERYTHING)]
        return [old != new for old, new in zip(before, after, strict=True)]

    assert changed("reports/bars.py") == changed("cli.py") == [False, False, False]
    assert changed("metrics/a.py") == [False, False, True]
    assert changed("methods/vdu.py") == [False, True, True]
    for name in ("models/a.py", "seeds.py", *drawing):
        assert changed(name) == [True, True, True], name


def test_every_part_of_the_package_is_in_or_left_out_on_purpose() -> None:
    root = Path(vdu_bench.__path__[0])
    parts = {path.name for path in root.iterdir() if path.suffix == ".py" or (path.is_dir() and any(path.glob("*.py")))}
    without_influence = {
        "__init__.py",
        "__main__.py",
        "cli.py",
        "cli_results.py",
        "launch.py",
        "options.py",
        "errors.py",
        "registry.py",
        "reports",
        "assets",
    }
    assert parts - without_influence == {part.split("/")[0] for part in EVERYTHING}
    assert code_digest(SAMPLING) != code_digest(UNLEARNING) != code_digest(EVERYTHING)
