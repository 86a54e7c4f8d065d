"""The set of report files, and when it is written again."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from vdu_bench.errors import UserError
from vdu_bench.reports.report import up_to_date, write_reports

TEXTS = ["leaderboard.md", "leaderboard.csv", "leaderboard.tex", "long.csv"]
PLOTS = [f"plots/digits_1_{kind}.{suffix}" for kind in ("tradeoff", "metrics", "samples") for suffix in ("png", "pdf")]


@pytest.fixture(scope="module")
def records(make_record):
    return [make_record("original"), make_record("vdu")]


@pytest.fixture(scope="module")
def samples(make_grid):
    return {"digits_1": make_grid(["original", "vdu"])}


@pytest.fixture(scope="module")
def out(records, samples, tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports") / "new"
    written = write_reports(records, folder, samples, samples_digest="s")
    assert sorted(file.relative_to(folder).as_posix() for file in written) == sorted(TEXTS + PLOTS)
    return folder


def test_all_files_are_there_and_no_others(out):
    found = sorted(file.relative_to(out).as_posix() for file in out.rglob("*") if file.is_file())
    assert found == sorted([*TEXTS, *PLOTS, "reports.json"])
    assert all((out / name).stat().st_size > 100 for name in TEXTS + PLOTS)


def test_the_same_inputs_write_nothing(out, records, samples):
    before = {file: file.stat().st_mtime_ns for file in out.rglob("*")}
    assert up_to_date(reversed(records), out, samples_digest="s")
    assert write_reports(records, out, samples, samples_digest="s") == []
    assert {file: file.stat().st_mtime_ns for file in out.rglob("*")} == before


def test_other_inputs_are_noticed(out, records, make_record, monkeypatch):
    assert not up_to_date(records[:1], out, samples_digest="s")
    assert not up_to_date([records[0], make_record("vdu", seed=1)], out, samples_digest="s")
    assert not up_to_date(records, out, samples_digest="other")
    assert not up_to_date(records, out)
    monkeypatch.setattr("vdu_bench.reports.report.__version__", "0.0.0")
    assert not up_to_date(records, out, samples_digest="s")


@pytest.mark.parametrize("harm", ["missing", "damaged", "no stamp", "bad stamp", "stamp of another kind"])
def test_damage_is_noticed(tmp_path, harm):
    assert not up_to_date([], tmp_path / "nowhere")
    (tmp_path / "reports.json").write_text(json.dumps({"inputs": stamp_of_nothing(), "files": {"a": sha("text")}}))
    (tmp_path / "a").write_text("text")
    assert up_to_date([], tmp_path)
    match harm:
        case "missing":
            (tmp_path / "a").unlink()
        case "damaged":
            (tmp_path / "a").write_text("next")
        case "no stamp":
            (tmp_path / "reports.json").unlink()
        case "bad stamp":
            (tmp_path / "reports.json").write_text('{"inputs": ')
        case _:
            (tmp_path / "reports.json").write_text("[]")
    assert not up_to_date([], tmp_path)


def test_nothing_is_written_for_records_that_do_not_compare(make_record, tmp_path):
    other = make_record("esd")
    other.protocol = other.protocol.model_copy(update={"scale": "full"})
    with pytest.raises(UserError, match="scale"):
        write_reports([make_record(), other], tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_printing_and_checking_import_neither_pandas_nor_matplotlib_nor_torch():
    code = (
        "import sys; from vdu_bench.reports import report; from vdu_bench.reports.tables import terminal, leaderboard;"
        "print({'pandas', 'matplotlib', 'seaborn', 'torch', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def sha(text):
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()


def stamp_of_nothing():
    from vdu_bench import __version__

    return sha(json.dumps([__version__, "", []]))
