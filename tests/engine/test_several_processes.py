"""Base models trained by several processes, as torchrun starts them: here two, by gloo on the CPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from commands import cli
from safetensors.torch import load_file

from vdu_bench.engine.device import resolve_device
from vdu_bench.errors import UserError
from vdu_bench.models.training.processes import ALONE, LaunchedTeam


def torchrun(*arguments: str | Path, processes: int = 2) -> subprocess.CompletedProcess[str]:
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes), "-m", "vdu_bench"]
    command = [sys.executable, *launcher, *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)


def manifests(store: Path) -> dict[str, dict[str, Any]]:
    found = [json.loads(file.read_text()) for file in store.glob("*/*/manifest.json")]
    return {manifest["kind"]: manifest for manifest in found}


def weights(store: Path, kind: str) -> dict[str, torch.Tensor]:
    (file,) = store.glob(f"{kind}/*/model/unet/*.safetensors")
    return load_file(file)


@pytest.fixture(scope="module")
def alone(tiny_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that one process filled."""
    store = tmp_path_factory.mktemp("alone")
    cli("prepare", "-q", "--task", tiny_file, "--store", store, "--device", "cpu")
    return store


def test_two_processes_train_the_recipe_s_own_model(tiny_file: Path, alone: Path, tmp_path: Path) -> None:
    command = ["prepare", "--task", tiny_file, "--store", tmp_path, "--device", "cpu"]
    done = torchrun(*command, "--export", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    # One of them speaks, and one of them writes.
    assert sorted(line.split()[0] for line in done.stdout.splitlines()) == [
        "tiny/base", "tiny/judge", "tiny/posterior", "tiny/retrain_5", "tiny/second_judge",
    ]  # fmt: skip
    assert done.stderr.count("tiny: base model: made") == 1
    assert (tmp_path / "out" / "tiny" / "base" / "manifest.json").is_file()
    assert not list((tmp_path / "running").glob("*/*"))
    one, two = manifests(alone), manifests(tmp_path)
    assert set(one) == set(two) == {"base", "posterior", "retrain", "judge", "second_judge"}
    for kind in ("base", "retrain"):
        assert two[kind]["hash"] == one[kind]["hash"], "the same artifact, however it is made"
        # The same batches, times and noise: what differs is the order of sums.
        losses = [torch.tensor(found[kind]["facts"]["training"]["losses"]) for found in (one, two)]
        torch.testing.assert_close(losses[1], losses[0], rtol=1e-3, atol=1e-4)
        mine, theirs = weights(alone, kind), weights(tmp_path, kind)
        for name, weight in mine.items():
            torch.testing.assert_close(theirs[name], weight, rtol=0, atol=5e-3)
    for kind in ("judge", "second_judge"):
        assert one[kind]["files"] == two[kind]["files"], "the first process makes it alone"
    again = torchrun(*command)
    assert again.stderr.count("tiny: base model: reused") == 1


def test_in_bfloat16_where_asked(tiny_file: Path, alone: Path, tmp_path: Path) -> None:
    place = ["--store", tmp_path, "--device", "cpu"]
    done = torchrun("prepare", "--task", tiny_file, *place, "--set", "task.model.training.autocast=bfloat16")
    assert done.returncode == 0, done.stderr
    one, two = manifests(alone)["base"], manifests(tmp_path)["base"]
    assert two["hash"] != one["hash"]
    exact, rounded = (torch.tensor(found["facts"]["training"]["losses"]) for found in (one, two))
    assert not torch.equal(exact, rounded)
    torch.testing.assert_close(rounded, exact, rtol=0.05, atol=0.01)


def test_mistakes_end_all_of_them(tiny_file: Path, tmp_path: Path) -> None:
    place = ["--store", tmp_path, "--device", "cpu"]
    uneven = torchrun("prepare", "--task", tiny_file, *place, "--set", "task.model.training.batch_size=15")
    assert uneven.returncode != 0
    assert "a batch of 15 cannot be shared out evenly among 2 processes" in uneven.stderr
    assert not list(tmp_path.glob("base/*/manifest.json"))


@pytest.mark.parametrize("command", [("run",), ("evaluate", "--checkpoint", "any")], ids=lambda words: words[0])
def test_what_does_not_train_together_takes_one_process(
    command: tuple[str, ...], tiny_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    cli(*command, "--task", tiny_file, code=2)
    assert "this takes one process" in " ".join(capsys.readouterr().err.split())


def test_each_process_has_a_part_of_the_batch_and_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ALONE.part(5) == slice(0, 5)
    teams = []
    for rank in range(3):
        team = LaunchedTeam.__new__(LaunchedTeam)
        team.rank, team.size = rank, 3
        teams.append(team)
    assert [list(range(6))[team.part(6)] for team in teams] == [[0, 1], [2, 3], [4, 5]]
    with pytest.raises(UserError, match="a batch of 7 cannot be shared out evenly among 3 processes"):
        teams[0].part(7)
    monkeypatch.setenv("WORLD_SIZE", "3")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device("auto") == resolve_device("cuda") == "cuda:1"
    assert resolve_device("cpu") == "cpu"
