"""The command line as a user meets it: output, exit codes, one clear line for every mistake."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from commands import bad_file, cli

REFERENCE = Path(__file__).parents[2] / "results" / "reference"
HEAVY = ("torch", "diffusers", "pandas", "matplotlib", "scipy", "sklearn", "transformers", "optuna")


@pytest.fixture(autouse=True)
def clean_registries(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a plug-in registers in one test is not there in the next."""
    from vdu_bench.methods.catalog import METHODS
    from vdu_bench.metrics.catalog import METRICS
    from vdu_bench.probes.catalog import PROBES

    for registry in (METHODS, METRICS, PROBES):
        registry.entries()
        monkeypatch.setattr(registry, "_entries", dict(registry._entries))
        monkeypatch.setattr(registry, "_loaded", dict(registry._loaded))


@pytest.fixture(scope="module")
def done(tiny_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``store`` and ``out`` of a finished run."""
    root = tmp_path_factory.mktemp("done")
    cli("run", "-q", "--task", tiny_file, "--methods", "vdu", "--store", root / "store", "--out", root / "out")
    return root


def test_a_run_leaves_records_tables_and_plots(done: Path) -> None:
    out = done / "out"
    assert {path.relative_to(out).as_posix() for path in out.glob("records/**/*.json")} == {
        f"records/tiny/{method}/seed0.json" for method in ("original", "real", "retrain", "vdu")
    }
    for name in ("leaderboard.md", "leaderboard.csv", "leaderboard.tex", "long.csv"):
        assert (out / name).stat().st_size > 200, name
    for name in ("tiny_tradeoff.png", "tiny_metrics.pdf", "tiny_samples.png"):
        assert (out / "plots" / name).stat().st_size > 1000, name


def test_the_same_again_says_that_it_reuses(
    done: Path, tiny_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = (
        "run",
        "--task",
        tiny_file,
        "--methods",
        "vdu",
        "--store",
        done / "store",
        "--out",
        tmp_path / "elsewhere",
    )
    cli(*command)
    said = capsys.readouterr()
    assert "reused 4 of 4 cells" in said.err
    assert "tiny" in said.out
    records = [(root / "records/tiny/vdu/seed0.json").read_text() for root in (done / "out", tmp_path / "elsewhere")]
    assert records[0] == records[1]


def test_the_same_again_needs_no_torch(done: Path, tiny_file: Path) -> None:
    code = f"""
import sys
from vdu_bench.cli.main import main
sys.argv = ["vdu-bench", "run", "--task", {str(tiny_file)!r}, "--methods", "vdu",
            "--store", {str(done / "store")!r}, "--out", {str(done / "out")!r}]
try:
    main()
except SystemExit as stop:
    assert stop.code == 0
print("HEAVY:", [name for name in {HEAVY!r} if name in sys.modules])
"""
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert finished.stdout.splitlines()[-1] == "HEAVY: []", finished.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["list", "probes", "--format", "json"],
        ["run", "--help"],
        ["check", "--help"],
        ["bless", "--help"],
        ["table", "--help"],
        ["compare", "--help"],
        ["sweep", "--help"],
        ["tune", "--help"],
        ["plot", "--help"],
        ["list", "methods"],
        ["list", "tasks"],
        ["list", "metrics", "--format", "json"],
    ],
)
def test_help_and_listings_import_nothing_heavy(arguments: list[str]) -> None:
    code = f"""
import sys
from vdu_bench.cli.main import main
sys.argv = ["vdu-bench", *{arguments!r}]
try:
    main()
except SystemExit as stop:
    assert stop.code == 0
print("HEAVY:", [name for name in {HEAVY!r} if name in sys.modules])
"""
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert finished.stdout.splitlines()[-1] == "HEAVY: []"
    assert len(finished.stdout) > 300


def test_python_dash_m_is_the_same_command() -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "vdu_bench", "list", "tasks"], capture_output=True, text=True, check=True
    )
    assert "digits_1" in finished.stdout


def test_long_table_is_tidy_csv(done: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli("table", done / "out", "--layout", "long", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert list(rows[0]) == [
        "task", "forget_images", "scale", "method", "seed", "metric",
        "value", "low", "high", "n", "unit", "better", "status",
    ]  # fmt: skip
    assert {row["method"] for row in rows} == {"original", "real", "retrain", "vdu"}
    cli("table", done / "out", "--layout", "long", "--format", "json")
    assert len(json.loads(capsys.readouterr().out)) == len(rows)


@pytest.mark.parametrize("format", ["terminal", "markdown", "csv", "latex", "json"])
def test_leaderboard_in_every_format(done: Path, capsys: pytest.CaptureFixture[str], format: str) -> None:
    cli("table", done / "out", "--format", format)
    text = capsys.readouterr().out
    assert "original" in text
    assert "vdu" in text
    assert (r"\toprule" in text) == (format == "latex")


@pytest.mark.parametrize("layout", ["leaderboard", "paper", "long"])
def test_a_table_shows_settings_where_it_is_asked_to(
    done: Path, capsys: pytest.CaptureFixture[str], layout: str
) -> None:
    cli("table", done / "out", "--layout", layout, "--format", "csv", "--settings")
    shown = capsys.readouterr().out
    assert "settings_from" in shown
    assert "steps" in shown
    assert "task" in shown
    cli("table", done / "out", "--layout", layout, "--format", "csv")
    assert "settings" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("form", "words"), [("markdown", "| vdu "), ("latex", r"\begin{table*}"), ("csv", "scale,method,role,")]
)
def test_the_paper_s_table(done: Path, capsys: pytest.CaptureFixture[str], form: str, words: str) -> None:
    cli("table", done / "out", "--layout", "paper", "--format", form)
    text = capsys.readouterr().out
    assert words in text
    assert "fd_judge_40" in text or "fd judge" in text
    cli("table", done / "out", "--layout", "paper", "--scale", "embedded", "--format", form)
    assert capsys.readouterr().out == text


def test_the_paper_s_table_beside_published_numbers_of_one_s_own(
    done: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    number = "{task: tiny, metric: pul, value: 12.5, unit: '%', method: vdu}"
    bad_file(tmp_path, "mine.yaml", f"paper: mine\ntitle: Mine\nsource: my notes\nnumbers: [{number}]\n")
    cli("table", done / "out", "--layout", "paper", "--format", "markdown", "--published", tmp_path)
    text = capsys.readouterr().out
    assert "12.5" in text
    assert "[1] mine, Mine: my notes" in text


def test_a_sweep_over_forget_images(
    done: Path, tiny_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(done, tmp_path / "done")
    out, store = tmp_path / "done" / "out", tmp_path / "done" / "store"
    cli("plot", out, "--kind", "forget-images", code=2)
    assert "--set task.forget_images=N" in capsys.readouterr().err
    cli(
        "run", "-q", "--task", tiny_file, "--methods", "vdu", "--store", store, "--out", out,
        "--set", "task.forget_images=4",
    )  # fmt: skip
    capsys.readouterr()
    cli("plot", out, "--kind", "forget-images")
    files = capsys.readouterr().out.split()
    assert [Path(file).name for file in files] == ["tiny_forget_images.png", "tiny_forget_images.pdf"]
    assert all(Path(file).exists() for file in files)
    cli("table", out, "--layout", "long")
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert {row["forget_images"] for row in rows} == {"", "4"}
    assert {row["scale"] for row in rows} == {"embedded"}


def test_plots_again_elsewhere(done: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli("plot", done / "out", "--out", tmp_path, "--store", done / "store")
    files = capsys.readouterr().out.split()
    assert len(files) == 6
    assert all(Path(file).exists() for file in files)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("vdu", ["gamma", "0.1", "arXiv 2510.04058", "forget_images", "posterior | parameter"]),
        ("digits_1", ["forget: '1'", "dpmsolver++"]),
        ("pul", ["100 (1 - n_after / n_before)", "higher"]),
    ],
)
def test_show_tells_everything(name: str, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    cli("show", name)
    text = capsys.readouterr().out
    for word in words:
        assert word in text
    cli("show", name, "--format", "json")
    assert json.loads(capsys.readouterr().out)["kind"] in ("method", "task", "metric")


PLUGIN = '''
from vdu_bench.methods.method import LossMethod
from vdu_bench.metrics.metric import Measurement, Metric, without_interval
from vdu_bench.probes.probe import Probe
from vdu_bench.stats.proportion import proportion

class PullDown(LossMethod):
    """Weights towards zero."""
    supports = ("unconditional",)
    needs = ()
    name = "pull_down"

    def loss(self, model, context):
        return sum(p.square().sum() for p in model.denoiser.parameters())

class MeanGrey(Metric):
    """Mean pixel of the samples."""

    def compute(self, evidence):
        grey = float(evidence.after.forget.images.float().mean())
        return Measurement(without_interval(grey, 1, "an example"))

class Few(Probe):
    """Three samples of noise of its own."""

    def draw(self, model, context):
        noise = context.noise(3, "few")
        return {"few": model.sample(3, None, noise, context.sampler, context.on_batch)}

class FewJunk(Metric):
    """Share of those that are junk."""
    unit, better, probe = "%", "lower", "few"

    def compute(self, evidence):
        junk = evidence.after.of("few")["few"].junk
        return Measurement(without_interval(100 * float(junk.float().mean()), len(junk), "an example"))

class NothingShown(Metric):
    """Share of samples in which the judge sees nothing."""
    unit = "%"
    better = "lower"
    group = "robustness"
    headline = True
    gate = "sampled"
    tolerance = "2"

    def compute(self, evidence):
        nothing = ~evidence.after.forget.shown.any(1).numpy()
        return Measurement(proportion(int(nothing.sum()), len(nothing)), outcomes=nothing)
'''


def test_a_plug_in_file_adds_a_method_a_probe_and_metrics(
    done: Path, tiny_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plugin = tmp_path / "mine.py"
    plugin.write_text(PLUGIN)
    shutil.copytree(done / "store", tmp_path / "store")
    cli(
        "run", "-q", "--task", tiny_file, "--methods", "pull_down", "--set", "pull_down.steps=2",
        "--plugin", plugin, "--store", tmp_path / "store", "--out", tmp_path / "out",
    )  # fmt: skip
    record = json.loads(next((tmp_path / "out/records/tiny").glob("pull_down*/seed0.json")).read_text())
    assert record["settings"]["steps"] == 2
    assert record["metrics"]["mean_grey"]["estimate"]["value"] > 0
    assert record["metrics"]["mean_grey"]["group"] == "quality"
    assert (record["metrics"]["nothing_shown"]["gate"], record["outcomes"]["nothing_shown"]["n"]) == ("sampled", 40)
    assert record["metrics"]["few_junk"]["estimate"]["n"] == 3
    assert {"samples", "few", "original_few"} <= set(record["stages"])
    capsys.readouterr()
    check_gate_and_table(tmp_path, capsys)
    cli("list", "methods", "--plugin", plugin, "--format", "json")
    assert "pull_down" in {row["name"] for row in json.loads(capsys.readouterr().out)}


def check_gate_and_table(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the plug-in's rate: its column stands in its group, and the gate tests it over the noise of one seed."""
    cli("table", root / "out", "--format", "json")
    (board,) = json.loads(capsys.readouterr().out)
    names = [column["name"] for column in board["columns"]]
    assert names.index("mean_grey") < names.index("nothing_shown") < names.index("unlearn_seconds")
    for side, share in (("old", 0.0), ("new", 100.0)):
        shutil.copytree(root / "out", root / side)
        (file,) = (root / side / "records" / "tiny").glob("pull_down*/seed0.json")
        record = json.loads(file.read_text())
        # With an interval around it: a record that contradicts itself is refused.
        record["metrics"]["nothing_shown"]["estimate"] |= {"value": share, "low": 0.9 * share, "high": max(9, share)}
        record["outcomes"]["nothing_shown"]["bits"] = ("ff" if share else "00") * 5
        file.write_text(json.dumps(record))
    cli("check", "--reference", root / "old", "--records", root / "new", "--format", "json", code=1)
    (loss,) = [found for found in json.loads(capsys.readouterr().out)["verdicts"] if found["kind"] == "worse"]
    assert (loss["method"][:9], loss["metric"], loss["loss"], loss["tolerance"]) == (
        "pull_down",
        "nothing_shown",
        100,
        "2",
    )
    assert loss["p_value"] < 1e-4


def test_records_that_are_none_are_named(done: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(done / "out" / "records", tmp_path / "r")
    bad_file(tmp_path / "r" / "tiny" / "vdu", "seed7.json", "{}")
    cli("table", tmp_path / "r", code=2)
    assert "seed7.json is not a record" in capsys.readouterr().err


def test_a_failed_cell_is_exit_1_and_in_the_table(
    done: Path, tiny_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plugin = bad_file(
        tmp_path,
        "fails.py",
        "from vdu_bench.methods.method import Method\n"
        "class Fails(Method):\n"
        "    supports, needs = ('unconditional',), ()\n"
        "    def unlearn(self, model, context):\n"
        "        raise RuntimeError('out of luck')\n",
    )
    cli(
        "run", "--task", tiny_file, "--methods", "fails", "--plugin", plugin,
        "--store", done / "store", "--out", tmp_path / "out", code=1,
    )  # fmt: skip
    said = capsys.readouterr()
    assert "failed: RuntimeError: out of luck" in said.err
    assert f"{plugin}:5 in unlearn: raise RuntimeError('out of luck')" in said.err
    kept = done / "store" / "failed" / "tiny" / "fails" / "seed0.txt"
    assert f"its traceback is in {kept}" in said.err
    assert kept.read_text().startswith("Traceback")
    assert "failed" in said.out


def test_ctrl_c_says_how_to_go_on(
    tiny_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import vdu_bench.engine.stages.judge

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(vdu_bench.engine.stages.judge, "train_judge", interrupted)
    cli(
        "run",
        "-q",
        "--task",
        tiny_file,
        "--methods",
        "vdu",
        "--store",
        tmp_path / "s",
        "--out",
        tmp_path / "o",
        code=130,
    )
    assert "the same command goes on" in capsys.readouterr().err


def test_no_arguments_teach(capsys: pytest.CaptureFixture[str]) -> None:
    cli(code=2)
    assert "vdu-bench run --task digits_1" in capsys.readouterr().out
