"""Places, sizes and times of files, which tell one content of a folder from another."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from vdu_bench.files import stamp


def straight(files: list[Path]) -> str:
    """Each file's own way from the root down."""
    facts = [(os.path.realpath(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return hashlib.sha256(json.dumps(sorted(facts)).encode()).hexdigest()


def test_links_lead_to_where_files_really_lie(tmp_path: Path) -> None:
    really = tmp_path / "really" / "inside"
    really.mkdir(parents=True)
    for name in ("a", "b"):
        (really / name).write_text(name)
    (tmp_path / "apart").write_text("apart")
    (really / "linked").symlink_to(tmp_path / "apart")
    root = tmp_path / "root"
    root.symlink_to(tmp_path / "really")
    found = stamp([root])
    assert found == stamp([tmp_path / "really"]) == straight([really / "a", really / "b", tmp_path / "apart"])
    assert stamp([really / "a"]) == straight([really / "a"])
    os.utime(tmp_path / "apart", (1, 1))
    assert stamp([root]) != found
    (tmp_path / "apart").unlink()
    assert stamp([root]) != found, "a link to nothing is no error"
