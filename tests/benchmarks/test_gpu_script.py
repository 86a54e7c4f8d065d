"""benchmarks/gpu.py from end to end, in miniature on the CPU: every phase, then the same command again."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
from miniatures import write_mnist

from vdu_bench.records import read_records

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "gpu.py"
PHASES = {"smoke", "rates", "memory", "mnist", "cells"}


def script(out: Path, *arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, SCRIPT, "--miniature", "--device", "cpu", "--out", out, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


def told(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "gpu.json").read_text())
    return found


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str | Path]]:
    """A whole run; its folder, and what it was asked for."""
    root = tmp_path_factory.mktemp("gpu")
    write_mnist(root / "data" / "mnist", zipped=True)
    asked = ["--minutes", "20", "--data-dir", root / "data"]
    # What lies in the current folder is nobody's suite: neither the script's, nor that of the processes it starts.
    decoy = root / "elsewhere" / "vdu_bench"
    decoy.mkdir(parents=True)
    (decoy / "__init__.py").write_text("raise ImportError('this is the wrong one')\n")
    run = script(root / "out", *asked, cwd=decoy.parent)
    assert run.returncode == 0, run.stderr
    return root / "out", asked


def test_every_phase_shows_what_it_is_for(done: tuple[Path, list[str | Path]]) -> None:
    found = told(done[0])
    assert set(found["phases"]) == PHASES
    assert (found["device"], found["miniature"], found["not_run"], found["failed"]) == ("cpu", True, {}, {})
    assert found["versions"]["torch"]
    phases = {name: {part: one["result"] for part, one in parts.items()} for name, parts in found["phases"].items()}
    cells = phases["smoke"]["digits_1"]["cells"]
    assert {one["status"] for one in cells.values()} == {"ok"}
    for name, rates in phases["rates"].items():
        if name == "a_step_of_vdu":
            assert rates["ratio"] > 0
            continue
        for way in ("sampling", "training"):
            one = rates[way]
            whole = one["ours_images_per_second"] / one["diffusers_images_per_second"]
            assert one["ratio"] == pytest.approx(whole, rel=1e-6) or way == "sampling"
            assert min(one["ours_images_per_second"], one["diffusers_images_per_second"]) > 0
    assert set(phases["memory"]) == {"vdu", "selective_amnesia", "uce"}
    assert all(one["peak_gib"] > 0 for one in phases["memory"].values())
    export = phases["mnist"]["export"]
    assert set(export) == {f"mnist/{name}" for name in ("judge", "second_judge", "base", "posterior", "retrain_1")}
    assert export["mnist/base"]["forward"] == 16


def test_archives_unpack_into_models_and_records(done: tuple[Path, list[str | Path]], tmp_path: Path) -> None:
    out = done[0]
    archives = told(out)["archives"]
    assert set(archives) == {"models", "records_12", "smoke"}
    for one in itertools.chain(*archives.values()):
        content = (out / "archives" / one["file"]).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (one["bytes"], one["sha256"])
        assert len(content) < 15e6
    for name in sorted(archives):
        whole = b"".join(file.read_bytes() for file in sorted((out / "archives").glob(f"{name}.*")))
        with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
            # Python before 3.11.4 knows no filter.
            archive.extractall(tmp_path, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    assert (tmp_path / "models" / "mnist" / "base" / "manifest.json").exists()
    records = read_records(tmp_path / "records_12")
    assert {record.method for record in records} == {"original", "retrain", "real", "vdu"}
    assert {record.status for record in records} == {"ok"}


def test_models_are_packed_before_the_next_phase_begins(done: tuple[Path, list[str | Path]]) -> None:
    """A machine that is lost later takes nothing along that was brought away."""
    packed, after = done[0] / "archives" / "models.tar.gz.000", done[0] / "parts" / "cells" / "first_look.json"
    assert packed.stat().st_mtime_ns < after.stat().st_mtime_ns


def test_the_same_command_again_runs_nothing_twice(done: tuple[Path, list[str | Path]]) -> None:
    out, asked = done
    before = told(out)["phases"]
    run = script(out, *asked)
    assert run.returncode == 0, run.stderr
    lines = run.stderr.splitlines()
    assert len(lines) == sum(map(len, before.values()))
    assert all(line.endswith(": done before") for line in lines), run.stderr
    assert told(out)["phases"] == before
    run = script(out, *asked, "--phases", "smoke")
    assert run.returncode == 0, run.stderr
    assert set(told(out)["archives"]) == {"models", "records_12", "smoke"}


def test_what_another_machine_gave_is_not_mixed_in(done: tuple[Path, list[str | Path]], tmp_path: Path) -> None:
    other = told(done[0])
    other["card"] = "another card"
    (tmp_path / "gpu.json").write_text(json.dumps(other))
    run = script(tmp_path, "--minutes", "1")
    assert run.returncode == 2
    assert "name another --out" in run.stderr
    assert run.stderr.count("\n") == 1
