"""The paper's class tasks from the command line, each whole but for its size: real byte formats, few images."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import cli
from miniatures import FISH, ORANGE, write_cifar10, write_mnist, write_tiny_imagenet

from vdu_bench.records import Record, read_records

TINY = (
    "task.model.denoiser.block_out_channels=[8, 8, 8, 8]",
    "task.model.denoiser.norm_num_groups=4",
    "task.model.denoiser.attention_head_dim=8",
    "task.model.denoiser.layers_per_block=1",
    "task.model.training={steps: 4, batch_size: 4, warmup_steps: 0}",
    "task.judge.training={steps: 4, batch_size: 16}",
    "task.sampler={steps: 2, batch_size: 6}",
    "task.samples=12",
    "task.inception=null",
    "vdu.steps=1",
    "vdu.batch_size=4",
)
SMALLER_SECOND = (
    "task.second_judge.architecture=test_convnext",
    "task.second_judge.training={steps: 4, batch_size: 16}",
)
SMALLER_JUDGE = ("task.judge.architecture=test_resnet", "task.judge.stem=own", *SMALLER_SECOND)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a miniature of everything."""
    root = tmp_path_factory.mktemp("data")
    write_mnist(root / "mnist", zipped=True)
    write_mnist(root / "fashion_mnist", seed=7)
    write_cifar10(root / "cifar-10-batches-bin")
    write_tiny_imagenet(root / "tiny-imagenet-200")
    return root


def arguments(command: str, task: str, root: Path, *settings: str) -> list[str]:
    words = [command, "--task", task, "--store", str(root / "store")]
    if command == "run":
        words += ["--methods", "vdu", "--out", str(root / "out")]
    return words + [word for setting in settings for word in ("--set", setting)]


def records(root: Path, task: str) -> Iterator[Record]:
    found = {record.method: record for record in read_records(root / "out") if record.task == task}
    yield from (found[method] for method in ("original", "retrain", "real", "vdu"))


@pytest.mark.parametrize(
    ("task", "scale", "judge", "classes", "settings"),
    [
        ("mnist_1", "full", "mnist_judge", 10, SMALLER_SECOND),
        ("fashion_mnist_trouser", "full", "fashion_mnist_judge", 10, SMALLER_SECOND),
        ("cifar10_ship_trained", "full", "cifar10_trained_judge", 10, SMALLER_JUDGE),
        ("tinyimagenet_fish", "full", "tinyimagenet_judge", 3, SMALLER_JUDGE),
        ("cifar10_ship_small", "small", "cifar10_small_judge", 10, SMALLER_SECOND),
        (
            *("tinyimagenet_fish_small", "small", "tinyimagenet_small_judge", 2),
            (f"task.data.only=[{FISH}, {ORANGE}]", *SMALLER_SECOND),
        ),
    ],
)
def test_a_miniature_of_each_family_runs_whole(
    data: Path,
    tmp_path: Path,
    task: str,
    scale: str,
    judge: str,
    classes: int,
    settings: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
) -> None:
    cli(*arguments("run", task, tmp_path, *TINY, *settings), "--data-dir", data, "--device", "cpu")
    # Four steps make no judge: full-scale tasks with a bar say so, the others have none.
    weak = task in ("mnist_1", "fashion_mnist_trouser", "cifar10_ship_trained")
    assert capsys.readouterr().err.count(f"{task}: warning: the judge names") == weak
    prints = set()
    for record in records(tmp_path, task):
        assert record.status == "ok"
        assert record.protocol is not None
        assert (record.protocol.scale, record.protocol.judge) == (scale, judge)
        assert record.protocol.second_judge == judge.replace("_judge", "_second_judge")
        assert len(record.protocol.classes) == classes
        assert {"pul", "fd_judge", "junk_rate", "class_shift"} <= set(record.metrics)
        prints.add(record.protocol.data_fingerprint)
        assert bool(record.warnings) == weak
    assert len(prints) == 1
    assert len(prints.pop()) == 64
    assert ("not to be trusted" in (tmp_path / "out" / "leaderboard.md").read_text()) == weak


def test_other_content_in_the_same_place_is_never_reused(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "data"
    shutil.copytree(data / "mnist", place / "mnist")
    monkeypatch.setenv("VDU_BENCH_DATA", str(place))
    command = arguments("run", "mnist_1_small", tmp_path, *TINY)
    cli(*command)
    said = capsys.readouterr().err
    assert said.count("warning") == said.count("12 samples are too few for the Frechet distance") == 1
    first = [record.protocol.data_fingerprint for record in records(tmp_path, "mnist_1_small") if record.protocol]
    code = f"""
import sys
from vdu_bench.cli.main import main
sys.argv = ["vdu-bench", *{command!r}]
try:
    main()
except SystemExit as stop:
    assert stop.code == 0
print("HEAVY:", [name for name in ("torch", "timm", "datasets", "pandas") if name in sys.modules])
"""
    again = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "reused 4 of 4 cells" in again.stderr
    assert again.stdout.splitlines()[-1] == "HEAVY: []"

    shutil.rmtree(place / "mnist")
    write_mnist(place / "mnist", zipped=True, seed=1)
    cli(*command, code=2)
    assert "was measured with another set of images than mnist_1_small has now" in capsys.readouterr().err
    (tmp_path / "out").rename(tmp_path / "of the first")
    cli(*command)
    said = capsys.readouterr().err
    assert "reused" not in said.replace("mnist_small: ", ""), "no cell and, by the digest of its data, no stage"
    assert "mnist_small: judge: made" in said
    second = [record.protocol.data_fingerprint for record in records(tmp_path, "mnist_1_small") if record.protocol]
    assert len({*first, *second}) == 2

    # The first content again, from another place: other cells, but every stage is found.
    monkeypatch.setenv("VDU_BENCH_DATA", str(data))
    shutil.rmtree(tmp_path / "out")
    cli(*command)
    said = capsys.readouterr().err
    assert "reused 4 of 4" not in said
    assert "mnist_small: judge: reused" in said
    assert [r.protocol.data_fingerprint for r in records(tmp_path, "mnist_1_small") if r.protocol] == first


def test_prepare_takes_the_data_folder(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.yaml"
    text = (Path(__file__).parent / "tiny.yaml").read_text()
    changes = (
        ("sklearn_digits", "{source: mnist}"),
        ("sample_size: 8", "sample_size: 32"),
        ("0, batch_size", ", batch_size"),
    )
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    file.write_text(text)
    cli("prepare", "-q", "--task", file, "--store", tmp_path / "store", "--data-dir", data, "--device", "cpu")
    assert {line.split()[0] for line in capsys.readouterr().out.splitlines()} == {
        "tiny/judge",
        "tiny/second_judge",
        "tiny/base",
        "tiny/posterior",
        "tiny/retrain_5",
    }
    manifests = [json.loads(file.read_text())["spec"] for file in (tmp_path / "store").glob("*/*/manifest.json")]
    assert len({spec["data"] for spec in manifests}) == 1


MISTAKES = {
    "no data": (["--data-dir", "nowhere"], ["MNIST: get train-images", "12 MB", "CC BY-SA 3.0", "put it into"]),
    "pad to less": (["--set", "task.data.pad_to=20"], ["images of 28 x 28"]),
    "unknown option": (["--set", "task.data.pad=20"], ["has no option 'pad'; did you mean 'pad_to'"]),
    "unknown class to keep": (["--set", "task.data.only=[n7, n8]"], ["have no 'n7' to keep"]),
    "unknown class": (["--set", "task.forget=11"], ["mnist has no '11' to forget", "known: 0, 1"]),
    "unknown architecture": (["--set", "task.second_judge.architecture=resnet81"], ["timm has no model 'resnet81'"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_and_exit_2(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], mistake: str
) -> None:
    extra, words = MISTAKES[mistake]
    place = [] if "--data-dir" in extra else ["--data-dir", str(data)]
    task = "tinyimagenet_fish" if mistake == "unknown class to keep" else "mnist_1"
    cli(*arguments("run", task, tmp_path, *TINY), "-q", "--device", "cpu", *place, *extra, code=2)
    said = capsys.readouterr()
    assert all(word in said.err for word in words), said.err
    assert said.err.count("\n") == 1
    assert said.out == ""


def test_words_for_a_class_lead_to_its_id(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    extra = ["--data-dir", str(data), "--set", "task.forget=goldfish"]
    cli(*arguments("run", "tinyimagenet_fish", tmp_path), "-q", *extra, code=2)
    assert f"did you mean '{FISH}' (goldfish, Carassius auratus)?" in capsys.readouterr().err
