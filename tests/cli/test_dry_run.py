"""`run --dry-run` tells what a run would do, and does nothing of it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from commands import cli


@pytest.mark.skipif(importlib.util.find_spec("datasets") is None, reason="datasets is not installed")
def test_what_is_not_here_is_named_and_not_fetched(
    tmp_path: Path, asked: list[object], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)  # by which lines would be folded
    places = ("--store", tmp_path / "store", "--out", tmp_path / "out")
    cli("run", "--task", "celeba_hats,cifar10_ship", "--methods", "vdu", "--dry-run", *places)
    said = capsys.readouterr().out
    row = next(line.split() for line in said.splitlines() if line.startswith("celeba_hats/vdu"))
    assert row[2:5] == ["0", "of", "1"]
    for name in ("flwrlabs/celeba", "CompVis/stable-diffusion-v1-4", "uoft-cs/cifar10", "google/ddpm-cifar10-32"):
        assert f"{name} is not on this machine: a run fetches it from the Hugging Face hub first" in said
    for name in ("timm/resnet18.a1_in1k", "timm/convnext_nano.d1h_in1k", "ViT-L-14 with the weights 'openai'"):
        assert f"{name} is not on this machine" in said
    assert "Inception (91 MB) is not on this machine" in said
    assert "1.4 GB, licence: non-commercial" in said
    assert asked == []
    assert not list(tmp_path.rglob("*"))


def test_data_that_lie_in_the_wrong_place_are_a_mistake(
    tmp_path: Path, asked: list[object], capsys: pytest.CaptureFixture[str]
) -> None:
    cli("run", "--task", "celeba_hats", "--methods", "vdu", "--dry-run", "--data-dir", tmp_path, code=2)
    assert "img_align_celeba is not there" in capsys.readouterr().err
    assert asked == []


def test_several_devices_are_for_as_many_processes_here_too(
    tiny_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked_for = ("run", "--task", tiny_file, "--methods", "vdu", "--dry-run", "--device", "cpu,cuda:0")
    places = ("--store", tmp_path / "store", "--out", tmp_path / "out")
    cli(*asked_for, *places, "--jobs", "2")
    assert "nothing was run" in capsys.readouterr().out
    cli(*asked_for, *places, code=2)
    assert "names 2 devices, and --jobs 1 is fewer" in capsys.readouterr().err
