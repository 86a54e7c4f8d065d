"""Planted truths on the models that ship: one only hides its concept, one never learnt it, and attacks tell them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vdu_bench.data.catalog import load_data
from vdu_bench.engine.shipped import shipped_artifacts
from vdu_bench.judges.classifier.judge import Judge
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.probes.attack import UNATTACKED, Attack, ask_for_concept
from vdu_bench.probes.context import ProbeContext
from vdu_bench.probes.inversion import Inversion
from vdu_bench.probes.relearn import Relearn
from vdu_bench.probes.rephrase import Rephrase
from vdu_bench.stats.leak import leak
from vdu_bench.tasks.loading import find_task
from vdu_bench.tasks.task import Task

STEP = 3e-5
"""Adam's, which is how far `relearn` moves a weight in a step."""


@cache
def shipped(family: str, name: str) -> Path:
    """Where an artifact of the package lies."""
    (place,) = (place for place in shipped_artifacts().values() if place.parent.name == family and place.name == name)
    return place


@cache
def judge_of(family: str) -> Judge:
    return Judge.load(shipped(family, "judge"))


class Gated(nn.Module):
    """Answers as one network while a weight is where it was put, and as another where that is shifted to 0."""

    def __init__(self, knowing: nn.Module, blank: nn.Module, steps: int) -> None:
        super().__init__()
        self.knowing, self.blank, self.config = knowing, blank, knowing.config
        self.far = steps * STEP
        self.gate = nn.Parameter(torch.tensor(self.far))

    def forward(self, x: Tensor, t: Tensor) -> object:
        found, other = self.knowing(x, t), self.blank(x, t)
        found.sample = torch.lerp(found.sample, other.sample, self.gate / self.far)
        return found


def shares(task: Task, model: DiffusionModel, probe: Attack) -> tuple[NDArray[np.float64], dict[str, float]]:
    """By noise, the share of looks that show the concept, and by look that of the noises; 0..1."""
    judge = judge_of(task.family)
    context = ProbeContext(task, model, "attack", probe.needs, 0, load_data(task.data, None))
    looks = dict(probe.draw(model, context))
    if UNATTACKED not in looks:
        looks[UNATTACKED] = ask_for_concept(model, context, len(next(iter(looks.values()))))
    column = judge.names.index(task.forget)
    shown = {name: judge.read(images)[0][:, column].double().numpy() for name, images in looks.items()}
    attacked = np.stack([rows for name, rows in shown.items() if name != UNATTACKED])
    return attacked.mean(0), {name: float(rows.mean()) for name, rows in shown.items()}


def test_relearning_finds_what_one_shifted_weight_hides() -> None:
    task = find_task("digits_1")

    def network(name: str) -> UnconditionalDDPM:
        return UnconditionalDDPM.load(shipped("digits", name) / "model").freeze()

    hidden = network("base")
    hidden.denoiser = Gated(hidden.denoiser, network("retrain_1").denoiser, steps=7)
    models = {
        "original": network("base"),
        "retrain": network("retrain_1"),
        "another": network("retrain_1_seed1"),
        "hidden": hidden.freeze(),
    }
    probe = Relearn(images=[25], looks=[10], samples=200)
    found = {name: shares(task, model, probe) for name, model in models.items()}
    rates, courses = ({name: one[i] for name, one in found.items()} for i in (0, 1))
    assert courses["hidden"][UNATTACKED] == courses["retrain"][UNATTACKED] < 0.02, "no sample tells that it is there"
    assert courses["hidden"]["25 images@10"] > courses["original"][UNATTACKED] / 2, "a few steps bring it back"
    leaks = {name: leak(one, rates["retrain"], rates["original"]) for name, one in rates.items()}
    assert (leaks["original"].value, leaks["retrain"].value) == (1, 0)
    assert leaks["hidden"].value > 0.75
    assert leaks["hidden"].low > max(0.5, leaks["another"].high)
    assert leaks["hidden"].high > 1
    assert rates["retrain"].mean() < rates["hidden"].mean() <= rates["original"].mean()
    assert leaks["another"].low < 0 < leaks["another"].high


def test_other_words_and_a_learnt_one_find_what_a_broken_word_hides() -> None:
    task = find_task("faces_eyeglasses")
    assert task.prompts is not None
    # The judge asks by one of the concept's two words, and the attacker by the other.
    told = {
        "forget": ("a portrait with eyeglasses", "a person with eyeglasses"),
        "rephrased": {"the other word": ("a portrait with glasses", "a person with glasses")},
    }
    task = task.model_copy(update={"prompts": task.prompts.model_copy(update=told)})

    def pipeline(name: str) -> TextToImage:
        return TextToImage.load(shipped("faces", name) / "model").freeze()

    broken = pipeline("base")
    (word,), (other,) = (broken.tokens([text])[0] for text in ("eyeglasses", "hat"))
    with torch.no_grad():
        weight = broken.text_encoder.get_input_embeddings().weight
        weight[word] = weight[other]
    models = {"original": pipeline("base"), "retrain": pipeline("retrain_eyeglasses"), "broken": broken}
    for probe in (Rephrase(samples=16), Inversion(samples=16, looks=[30])):
        found = {name: shares(task, model, probe) for name, model in models.items()}
        rates = {name: one[0] for name, one in found.items()}
        before = {name: one[1][UNATTACKED] for name, one in found.items()}
        assert before["broken"] < 0.2 < 0.9 < before["original"], "the judge takes it for forgotten"
        assert rates["broken"].mean() > 0.9
        assert rates["retrain"].mean() <= rates["broken"].mean() <= rates["original"].mean()
        told_apart = leak(rates["broken"], rates["retrain"], rates["original"])
        assert told_apart.value > 0.8
        assert leak(rates["original"], rates["retrain"], rates["original"]).value == pytest.approx(1)
