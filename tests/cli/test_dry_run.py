"""`run --dry-run` tells what a run would do, and does nothing of it."""

from __future__ import annotations

import importlib.util
import socket
from pathlib import Path

import pytest
import torch
from commands import cli

from vdu_bench.errors import NotFetched
from vdu_bench.fetching import may_fetch, nothing_fetched
from vdu_bench.metrics.inception import Inception
from vdu_bench.models.pipelines.finding import find_pipeline


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """A machine on which nothing was ever fetched, with a network; the addresses that were asked for."""
    found: list[object] = []

    def refused(*address: object, **_: object) -> None:
        found.append(address)
        raise OSError("no connection in a test")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    for module in ("constants", "utils._cache_manager"):
        monkeypatch.setattr(f"huggingface_hub.{module}.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "torch"))
    monkeypatch.delenv("VDU_BENCH_DATA", raising=False)
    monkeypatch.delenv("COLUMNS", raising=False)  # by which lines would be folded
    return found


@pytest.mark.skipif(importlib.util.find_spec("datasets") is None, reason="pip install 'vdu-bench[hub]'")
def test_what_is_not_here_is_named_and_not_fetched(
    tmp_path: Path, asked: list[object], capsys: pytest.CaptureFixture[str]
) -> None:
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


def test_a_command_that_may_asks_the_network(asked: list[object]) -> None:
    """So the test above would have seen it."""
    with pytest.raises(Exception, match="could not be had"):
        find_pipeline("google/ddpm-cifar10-32", "unconditional")
    assert asked


def test_nothing_is_fetched_until_the_end_of_the_block(asked: list[object]) -> None:
    with nothing_fetched():
        assert not may_fetch()
        with pytest.raises(NotFetched):
            Inception.find(None, "cpu")
    assert may_fetch()
    assert asked == []
