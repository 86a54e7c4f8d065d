"""What a command changes of a task or a method is a part of the cell's name, and nothing replaces anything else."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest
from commands import cli

from vdu_bench.records import read_records


@pytest.fixture(scope="module")
def variants(tiny_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``store`` and ``out``: one task as it is, and with some things changed."""
    root = tmp_path_factory.mktemp("variants")
    place = ["--task", tiny_file, "--store", root / "store", "--out", root / "out"]
    for changes in (
        [],
        ["--set", "vdu.gamma=0.3,0.9"],
        ["--set", "vdu.gamma=0.5", "--name", "half"],
        ["--set", "task.forget=3"],
        ["--samples", "20"],
        ["--regime", "forget_only"],
    ):
        cli("run", "-q", "--methods", "vdu", *place, *changes)
    return root


def test_each_has_records_of_its_own(variants: Path) -> None:
    found = {
        file.parent.relative_to(variants / "out" / "records").as_posix(): file
        for file in variants.glob("out/**/seed0.json")
    }
    rows = ("original", "real", "retrain", "vdu")
    assert set(found) == {
        *(f"tiny/{row}" for row in (*rows, "vdu+gamma=0.3", "vdu+gamma=0.9", "vdu+half", "vdu+regime=forget_only")),
        *(f"tiny+{change}/{row}" for change in ("forget=3", "samples=20") for row in rows),
    }
    plain, changed = (json.loads(found[name].read_text()) for name in ("tiny/vdu", "tiny/vdu+gamma=0.3"))
    assert (plain["settings"]["gamma"], changed["settings"]["gamma"]) == (0.1, 0.3)
    assert changed["method_changes"] == {"gamma": 0.3}
    half = json.loads(found["tiny/vdu+half"].read_text())
    assert (half["called"], half["method_changes"], half["settings"]["gamma"]) == ("half", {"gamma": 0.5}, 0.5)
    other = json.loads(found["tiny+forget=3/vdu"].read_text())
    assert (other["task"], other["forget"], other["task_changes"]) == ("tiny", "3", {"forget": "3"})


def test_tables_show_them_side_by_side(variants: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli("table", variants / "out", "--format", "markdown")
    text = capsys.readouterr().out
    for row in ("vdu", "vdu[gamma=0.3]", "vdu[gamma=0.9]", "vdu[half]", "vdu[regime=forget_only]"):
        assert f"| {row} " in text
    for title in ("## tiny\n", "## tiny+forget=3\n", "## tiny+samples=20\n"):
        assert title in text


def test_tidy_rows_and_plots_tell_them_apart(
    variants: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cli("table", variants / "out", "--layout", "long")
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert {row["task"] for row in rows} == {"tiny", "tiny+forget=3", "tiny+samples=20"}
    assert {row["method"] for row in rows if row["task"] == "tiny"} == {
        *(
            "original",
            "real",
            "retrain",
            "vdu",
            "vdu[gamma=0.3]",
            "vdu[gamma=0.9]",
            "vdu[half]",
            "vdu[regime=forget_only]",
        )
    }
    cli("plot", variants / "out", "--out", tmp_path, "--store", variants / "store")
    drawn = {Path(file).name for file in capsys.readouterr().out.split()}
    for name in ("tiny_tradeoff.png", "tiny+forget=3_samples.png", "tiny+samples=20_metrics.png"):
        assert name in drawn
    assert not any("forget_images" in name for name in drawn), "other samples are no sweep over forget images"
    cli("table", variants / "out", "--layout", "paper")
    assert "tiny+samples=20" in capsys.readouterr().out


def test_the_gate_pairs_what_was_changed_alike(
    variants: Path, tiny_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = ["--task", tiny_file, "--store", variants / "store", "--out", tmp_path / "new"]
    cli("run", "-q", "--methods", "vdu", "--samples", "20", *place)
    cli("check", "--records", tmp_path / "new", "--reference", variants / "out", "--allow-missing")
    capsys.readouterr()
    kept = [record for record in read_records(variants / "out") if record.variant == "tiny"]
    for record in kept:
        file = tmp_path / "reference" / f"{record.cell_name}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(record.to_json())
    cli("check", "--records", tmp_path / "new", "--reference", tmp_path / "reference", "--allow-missing", code=2)
    assert "tiny+samples=20/original/seed0 is not tiny/original/seed0; run both alike" in capsys.readouterr().err


def test_two_rows_of_the_folder_side_by_side(variants: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli("compare", variants / "out", "--row", "vdu[gamma=0.3]=vdu[half]", "--format", "markdown")
    text = capsys.readouterr().out
    assert "## tiny: A vdu[gamma=0.3], B vdu[half], seed 0" in text
    assert "settings: gamma 0.3 in A, 0.5 in B" in text


def test_a_name_is_one_variant_s_alone(
    variants: Path, tiny_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(variants / "out", tmp_path / "out")
    place = ["--task", tiny_file, "--store", variants / "store", "--out", tmp_path / "out", "--methods", "vdu"]
    # Another seed of the row too.
    cli("run", "-q", *place, "--seeds", "1", "--set", "vdu.gamma=0.7", "--name", "half", code=2)
    said = capsys.readouterr().err
    assert "vdu+half/seed0.json is of {'gamma': 0.5}, and this run of {'gamma': 0.7}" in said
    assert "another --name" in said
    cli("run", "-q", *place, "--set", "task.title=a/b,c/b", code=2)
    assert "two cells would be called tiny+title=b/original/seed0" in capsys.readouterr().err
    cli("run", "-q", *place, "--set", "vdu.gamma=0.1,0.2", "--name", "both", code=2)
    assert "vdu has 2 variants, which cannot share a name" in capsys.readouterr().err
    # What is done is found under another name, and called so.
    cli("run", *place, "--set", "vdu.gamma=0.5", "--name", "again")
    assert "reused 4 of 4" in capsys.readouterr().err
    assert json.loads((tmp_path / "out/records/tiny/vdu+again/seed0.json").read_text())["called"] == "again"


def test_a_sweep_is_runs_of_its_own_and_goes_on_where_it_was(
    variants: Path, tiny_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = ["--task", tiny_file, "--store", variants / "store", "--out", tmp_path / "out", "--methods", "vdu"]
    cli("sweep", "-q", *place, "--values", "1,3")
    written = [Path(line) for line in capsys.readouterr().out.split() if line.startswith(str(tmp_path))]
    assert [file.name for file in written] == [f"tiny_sweep_steps.{suffix}" for suffix in ("png", "pdf", "csv")]
    assert {file.parent.name for file in tmp_path.glob("out/records/**/*.json")} == {
        *("original", "real", "retrain", "vdu+steps=1", "vdu+steps=3")
    }
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out/plots/tiny_sweep_steps.csv").read_text())))
    assert [(row["curve"], row["value"]) for row in rows] == [
        *((name, "") for name in ("real", "retrain", "original")), ("vdu", "1"), ("vdu", "3"),
    ]  # fmt: skip
    # Two steps more, of eight images each.
    fewer, more = (float(row["nfe_forward"]) for row in rows[-2:])
    assert more - fewer == 2 * 8
    cli("sweep", *place, "--values", "1,3,5")
    assert "reused 5 of 6" in capsys.readouterr().err


def test_what_is_called_the_same_in_short_is_refused(
    tiny_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from vdu_bench.engine.run import record_path, write_record
    from vdu_bench.records import Record

    record = Record.model_validate(
        {
            "task": "tiny", "task_changes": {"title": "a/b"}, "forget": "5", "method": "vdu", "role": "contestant",
            "regime": "full", "settings": {}, "seeds": {"train": 0, "unlearn": 0, "sample": 0}, "protocol": None,
            "ledger": None, "timings": {}, "environment": {}, "stages": {}, "status": "ok", "metrics": {},
        }
    )  # fmt: skip
    write_record(record, tmp_path / "out")
    assert record_path(record, tmp_path / "out").parent.parent.name == "tiny+title=b"
    place = ["--task", tiny_file, "--store", tmp_path / "store", "--out", tmp_path / "out"]
    cli("run", "-q", "--methods", "vdu", *place, "--set", "task.title=c/b", code=2)
    assert "name another --out" in capsys.readouterr().err
