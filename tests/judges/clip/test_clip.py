from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from vdu_bench.errors import UserError
from vdu_bench.judges.clip.scorer import ClipScorer

COLOURS = {"red": (1.0, 0.0, 0.0), "green": (0.0, 1.0, 0.0), "not red": (-1.0, 0.0, 0.0), "yellow": (2.0, 2.0, 0.0)}


class ColourModel(nn.Module):
    """An image is its mean colour, and a prompt the colour it names: all cosines are known."""

    context_length = 3

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(scale))
        self.batches: list[int] = []

    def encode_image(self, images: Tensor) -> Tensor:
        self.batches.append(len(images))
        return self.scale * images.mean((2, 3))

    def encode_text(self, tokens: Tensor) -> Tensor:
        self.prompts = len(tokens)
        return self.scale * torch.tensor([list(COLOURS.values())[row[1]] for row in tokens.tolist()])


def tokenizer(prompts: list[str], context_length: int) -> Tensor:
    """Begin, one token for each word, end; what is too long is cut, as open_clip does, and keeps an end."""
    known = list(COLOURS)
    rows = torch.zeros(len(prompts), context_length, dtype=torch.long)
    for row, prompt in zip(rows, prompts, strict=True):
        words = [known.index(prompt)] if prompt in known else [7] * len(prompt.split())
        tokens = [98, *words, 99][:context_length]
        tokens[-1] = 99
        row[: len(tokens)] = torch.tensor(tokens)
    return rows


def preprocess(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255


@pytest.fixture
def scorer() -> ClipScorer:
    return ClipScorer("colours/own/fp32", ColourModel(), preprocess, tokenizer)


def flat(*colours: tuple[int, int, int]) -> Tensor:
    return torch.tensor(colours, dtype=torch.uint8)[:, :, None, None].expand(-1, -1, 2, 5)


def test_the_score_is_a_hundred_times_the_cosine_and_may_be_negative(scorer: ClipScorer) -> None:
    images = flat((255, 0, 0), (255, 0, 0), (255, 0, 0), (0, 100, 0), (0, 0, 50), (30, 40, 0))
    scores = scorer.score(images, ["red", "not red", "yellow", "green", "red", "red"])
    assert scores.dtype == torch.float64
    assert scores.tolist() == pytest.approx([100, -100, 100 / 2**0.5, 100, 0, 60], abs=1e-5)


def test_images_go_in_batches_and_equal_prompts_together() -> None:
    model = ColourModel()
    scorer = ClipScorer("colours/own/fp32", model, preprocess, tokenizer)
    levels = torch.arange(1, 601) % 255 + 1
    images = torch.stack([levels, 256 - levels, levels], 1).clamp(max=255).to(torch.uint8)[:, :, None, None]
    prompts = ["red" if i % 3 else "green" for i in range(600)]
    scores = scorer.score(images, prompts)
    assert model.batches == [250, 250, 100]
    assert model.prompts == 2
    for i in (0, 1, 299, 599):
        assert scores[i].item() == pytest.approx(scorer.score(images[i : i + 1], prompts[i : i + 1]).item())


def test_a_prompt_that_would_be_cut_is_named(scorer: ClipScorer) -> None:
    with pytest.raises(UserError, match=r"'two words' is longer than the 3 tokens.*colours/own/fp32.*shorten"):
        scorer.score(flat((1, 2, 3), (1, 2, 3)), ["red", "two words"])


@pytest.mark.parametrize(
    ("images", "prompts", "words"),
    [
        (torch.zeros(2, 3, 4, 4, dtype=torch.uint8), ["red"], "as many prompts"),
        (torch.zeros(1, 3, 4, 4), ["red"], "uint8"),
        (torch.zeros(1, 1, 4, 4, dtype=torch.uint8), ["red"], r"\[1, 1, 4, 4\]"),
    ],
)
def test_what_cannot_be_scored_is_refused(scorer: ClipScorer, images: Tensor, prompts: list[str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        scorer.score(images, prompts)


def test_the_digest_is_the_weights_own(scorer: ClipScorer) -> None:
    def digest(model: nn.Module) -> str:
        return ClipScorer("another name", model, preprocess, tokenizer).digest()

    assert scorer.digest() == digest(ColourModel())
    assert scorer.digest() != digest(ColourModel(scale=2.0))
    assert digest(ColourModel().bfloat16()) != scorer.digest()


def test_specifications_are_without_torch_and_open_clip_is_imported_by_a_scorer_alone() -> None:
    code = """
import sys
import vdu_bench.judges.clip.specs
assert "torch" not in sys.modules
from vdu_bench.judges.clip import check, in_domain, pretrained, scorer, training, words
assert "open_clip" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
