"""The paper's feature tasks, whole but for their size: CelebA's real files, a tiny pipeline in the place of SD 1.4."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from checkpoint_series import small, write_series
from commands import cli
from miniatures import write_celeba, write_celeba_hub

from vdu_bench.models.specs import CheckpointPosterior, LatentRecipe
from vdu_bench.records import Record, read_records
from vdu_bench.tasks.loading import find_task
from vdu_bench.tasks.prompts import PromptSpec

NAMES = ("celeba_hats", "celeba_eyeglasses", "celeba_bangs")


def prompts_of(name: str) -> PromptSpec:
    prompts = find_task(name).prompts
    assert prompts is not None
    return prompts


def all_prompts(prompts: PromptSpec) -> list[str]:
    return [*prompts.every, *prompts.captions.subjects]


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory, tiny_latent_recipe: LatentRecipe) -> list[Path]:
    """Four checkpoints of one small pipeline, as CompVis' v1-1 to v1-4 are of one; the last is whole."""
    prompts = [prompt for name in NAMES for prompt in all_prompts(prompts_of(name))]
    return write_series(tmp_path_factory.mktemp("series"), tiny_latent_recipe, prompts)


def records(root: Path) -> dict[str, Record]:
    return {record.method: record for record in read_records(root / "out")}


def places(root: Path) -> list[str | Path]:
    return ["--store", root / "store", "--out", root / "out", "--device", "cpu"]


def check(found: dict[str, Record]) -> None:
    assert set(found) == {"original", "real", "vdu", "esd"}, "the base has no recipe here, so nothing retrains it"
    for name, record in found.items():
        assert record.status == "ok", record.reason
        assert record.protocol is not None
        protocol = record.protocol
        assert (protocol.scale, protocol.dtype, protocol.sampler["guidance_scale"]) == ("full", "bfloat16", 7.5)
        assert {"pul", "retain_accuracy", "interference", "fd_judge", "junk_rate"} <= set(record.metrics)
        if name != "real":
            reason = record.metrics["pair_drift"].estimate.reason
            assert reason == "the data have no counterfactual pairs for this feature"
        assert any("the judge names" in warning for warning in record.warnings), "four steps make no judge"
        if name not in ("original", "real"):
            assert record.settings["weights"] in ("auto", "cross_attention")
    assert found["vdu"].ledger is not None
    assert (found["vdu"].ledger.posterior, found["esd"].ledger and found["esd"].ledger.forget_images) == (True, 0)


def test_celeba_hats_from_the_official_files(series: list[Path], tmp_path: Path) -> None:
    write_celeba(tmp_path / "data" / "celeba")
    small_data = ("task.data.size=16", "task.data.train_images=all", "task.data.held_out_images=all")
    data = ["--data-dir", tmp_path / "data", *(word for setting in small_data for word in ("--set", setting))]
    command = ["run", "--task", "celeba_hats", "--methods", "vdu,esd", *small(series), *data, *places(tmp_path)]
    cli(*command)
    check(records(tmp_path))
    # A U-Net that somebody unlearned elsewhere: here the first of the series.
    source = [series[0] / "unet", "--name", "theirs"]
    cli("evaluate", "--task", "celeba_hats", "--checkpoint", *source, *small(series)[:-8], *data, *places(tmp_path))
    assert records(tmp_path)["theirs"].metrics["pul"].estimate.n == 8
    board = (tmp_path / "out" / "leaderboard.md").read_text()
    assert "theirs" in board
    assert "external" in board


@pytest.mark.skipif(importlib.util.find_spec("datasets") is None, reason="datasets is not installed")
def test_celeba_hats_from_the_hub_s_files(series: list[Path], tmp_path: Path) -> None:
    write_celeba_hub(tmp_path / "data" / "flwrlabs" / "celeba")
    attributes = ", ".join(find_task("celeba_hats").data.options["attributes"])
    source = f"task.data={{source: hub_attributes, id: flwrlabs/celeba, size: 16, attributes: [{attributes}]}}"
    command = ["run", "--task", "celeba_hats", "--methods", "vdu,esd", *small(series), "--set", source]
    cli(*command, "--data-dir", tmp_path / "data", *places(tmp_path))
    check(records(tmp_path))


@pytest.mark.parametrize("name", NAMES)
def test_prompts_fit_into_clip_s_text_encoder_and_say_what_they_ask_for(name: str) -> None:
    from open_clip import SimpleTokenizer

    task, prompts = find_task(name), prompts_of(name)
    words = {
        "Wearing_Hat": ("hat", "cap"),
        "Eyeglasses": ("glasses",),
        "Bangs": ("bangs", "fringe"),
        "Smiling": ("smil",),
        "Blond_Hair": ("blond hair",),
    }

    def asked(prompt: str) -> set[str]:
        return {feature for feature, parts in words.items() if any(part in prompt for part in parts)}

    tokenizer = SimpleTokenizer()
    assert all(len(tokenizer.encode(prompt)) + 2 <= 77 for prompt in all_prompts(prompts))
    assert all(task.forget in asked(prompt) for prompt in prompts.forget)
    assert all(asked(prompt) == {task.forget} for prompt in prompts.concept)
    assert all(asked(prompt) > {task.forget} for prompt in prompts.tuning)
    for retained in (prompts.retain, prompts.tuning_retain):
        assert all(asked(prompt) == set(features) for prompt, features in retained.items())
    assert asked(prompts.anchor) == set()
    assert all(len(asked(prompt) - {task.forget}) == 1 for prompt in prompts.preserve)
    assert all(task.forget not in asked(prompt) for prompt in prompts.preserve)
    assert (len(prompts.forget), len(prompts.retain)) == (5, 8)
    assert set(words) == set(prompts.captions.phrases) == set(task.data.options["attributes"])


def test_the_tasks_are_stable_diffusion_1_4_s(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in NAMES:
        task = find_task(name)
        assert (task.scale, task.base) == ("full", "CompVis/stable-diffusion-v1-4")
        assert isinstance(task.posterior, CheckpointPosterior)
        assert task.posterior.checkpoints == tuple(f"CompVis/stable-diffusion-v1-{i}" for i in range(1, 5))
    cli("run", "--task", "celeba_hats", "--data-dir", tmp_path, *places(tmp_path), "-q", code=2)
    said = capsys.readouterr().err
    assert all(words in said for words in ("CelebA", "img_align_celeba", "non-commercial", str(tmp_path / "celeba")))


def test_a_prompt_that_is_too_long_is_named_before_anything_is_sampled(
    series: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_celeba(tmp_path / "data" / "celeba")
    data = ("task.data.size=16", "task.data.train_images=all", "task.data.held_out_images=all")
    prompt = "a hat " + "a " * 80
    settings = [word for value in (*data, f"task.prompts.concept=[{prompt!r}]") for word in ("--set", value)]
    place = ["--data-dir", tmp_path / "data", *places(tmp_path)]
    cli("run", "-q", "--task", "celeba_hats", "--methods", "vdu", *small(series)[:-4], *settings, *place, code=2)
    said = capsys.readouterr().err
    assert all(words in said for words in ("the prompt 'a hat a a", "the text encoder takes 77: shorten it"))
    assert said.count("\n") == 1
    assert not (tmp_path / "out" / "records").exists()
