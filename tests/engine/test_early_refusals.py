"""What a run lacks is said before anything is made for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from commands import bad_file, cli

TRAINING = {"steps": 1, "batch_size": 8, "learning_rate": 0.01}
TIMM = {"network": "timm", "architecture": "test_resnet", "pretrained": True, "training": TRAINING}


@pytest.mark.parametrize(
    ("part", "content", "words"),
    [
        ("judge", TIMM, "timm's weights for 'test_resnet' cannot be had"),
        ("second_judge", TIMM, "timm's weights for 'test_resnet' cannot be had"),
        ("clip", {"model": "RN50", "weights": "x", "file": "no.pt"}, "no.pt is no file with the weights 'x' of RN50"),
        ("clip", {"model": "RN50", "weights": "openai"}, "the weights 'openai' of RN50 cannot be downloaded"),
    ],
)
def test_weights_of_others(
    tiny_faces_file: Path,
    tmp_path: Path,
    part: str,
    content: dict[str, Any],
    words: str,
    asked: list[object],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # A client that finds no network tries again for a minute.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    changed = yaml.safe_load(tiny_faces_file.read_text()) | {part: content}
    file = bad_file(tmp_path, "task.yaml", yaml.safe_dump(changed))
    store = tmp_path / "store"
    cli("run", "--task", file, "--methods", "finetune", "--store", store, code=2)
    assert words in capsys.readouterr().err
    assert not list(store.glob("*/*/manifest.json"))
    assert asked == []


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (
            ("esd.weights=cross_attention",),
            "tiny: esd.weights: a UNet2DModel of this configuration has no cross-attention",
        ),
        # Of two variants the first.
        (('esd.weights=["*attn9*"],"*conv_in*"',), "tiny: esd.weights: no weight's name fits '*attn9*'; there are"),
        (('esd.weights=["all", "*attn9*"]',), "tiny: esd.weights: no weight's name fits '*attn9*'; there are"),
        (
            ("task.probe_settings.relearn.weights=cross_attention", "task.attacks=[relearn]"),
            "tiny: probe_settings.relearn.weights: a UNet2DModel of this configuration has no cross-attention",
        ),
    ],
)
def test_weights_that_the_base_will_not_have(
    tiny_file: Path,
    tmp_path: Path,
    asked: tuple[str, ...],
    words: str,
    more: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
) -> None:
    store = tmp_path / "store"
    given = [part for one in asked for part in ("--set", one)]
    cli("run", "--task", tiny_file, "--methods", "esd", "--store", store, *given, *more, code=2)
    assert words in capsys.readouterr().err
    assert not list(store.glob("*/*/manifest.json"))


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_a_prompt_that_the_base_will_be_too_short_for(
    tiny_faces_file: Path, tmp_path: Path, more: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    content = yaml.safe_load(tiny_faces_file.read_text())
    most = content["model"]["text_encoder"]["max_tokens"]
    # Each letter of what is no word is a token of its own.
    content["prompts"]["forget"] = [*content["prompts"]["forget"], "x" * most]
    file = bad_file(tmp_path, "task.yaml", yaml.safe_dump(content))
    cli("run", "--task", file, "--methods", "finetune", "--store", store, *more, code=2)
    error = capsys.readouterr().err
    assert f"tokens with those for its begin and end, and the text encoder takes {most}: shorten it" in error
    assert not list(store.glob("*/*/manifest.json"))


@pytest.mark.parametrize(
    "part", [{"method_settings": {"vdu_contrst": {"gamma": 0.9}}}, {"settings_from": {"vdu_contrst": "tuned"}}]
)
def test_settings_of_a_method_that_nobody_knows(
    tiny_file: Path, tmp_path: Path, part: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    file = bad_file(tmp_path, "task.yaml", yaml.safe_dump(yaml.safe_load(tiny_file.read_text()) | part))
    for more in ((), ("--dry-run",)):
        cli("run", "--task", file, "--methods", "vdu", "--store", tmp_path / "store", *more, code=2)
        assert "unknown method 'vdu_contrst'; did you mean 'vdu_contrast'" in capsys.readouterr().err


def test_a_task_file_with_a_comma_in_its_path(
    tiny_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "d,e").mkdir()
    file = tmp_path / "d,e" / "tiny.yaml"
    file.write_text(tiny_file.read_text())
    places = ("--store", tmp_path / "store", "--out", tmp_path / "out")
    cli("run", "--task", file, "--methods", "vdu", "--dry-run", *places)
    assert "tiny/vdu" in capsys.readouterr().out


def test_a_tilde_is_the_home_folder_wherever_it_comes_from(
    tiny_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("VDU_BENCH_STORE", "~/kept")
    cli("run", "--task", tiny_file, "--methods", "vdu", "--dry-run", "--out", "~/found")
    assert f"store: {tmp_path / 'kept'}; results: {tmp_path / 'found'}" in " ".join(capsys.readouterr().out.split())
