from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import open_clip
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from vdu_bench.data.image_set import ImageSet
from vdu_bench.data.sources.faces import NAMES, load_faces
from vdu_bench.errors import Diverged, UserError
from vdu_bench.judges.clip.check import check_captions
from vdu_bench.judges.clip.in_domain import InDomainClip
from vdu_bench.judges.clip.scorer import ClipScorer
from vdu_bench.judges.clip.specs import ClipRecipe
from vdu_bench.judges.clip.training import train_clip

WORDS = ("a", "portrait", "person", "with", "and", *NAMES)
FACES = load_faces()


def captions(concepts: Tensor, generator: torch.Generator) -> list[str]:
    """One of two subjects, with the names of what is shown."""
    subjects = torch.randint(2, (len(concepts),), generator=generator).tolist()
    shown = [[name for name, flag in zip(NAMES, row, strict=True) if flag] for row in concepts.tolist()]
    return [
        ("a portrait", "a person")[subject] + (f" with {' and '.join(names)}" if names else "")
        for subject, names in zip(subjects, shown, strict=True)
    ]


def recipe(**settings: Any) -> ClipRecipe:
    training = {"steps": 80, "batch_size": 64, "learning_rate": 0.003, "schedule": "cosine", "warmup_steps": 10}
    network = {
        "embed_dim": 32,
        "vision_cfg": {"image_size": 16, "patch_size": 4, "width": 48, "layers": 2, "head_width": 16},
        "text_cfg": {"width": 48, "heads": 3, "layers": 1},
    }
    return ClipRecipe.model_validate(
        {
            "name": "clip_test",
            "network": network,
            "context_length": 20,
            "training": {**training, "clip_norm": 1.0, **settings.pop("training", {})},
            **settings,
        }
    )


def trained(**settings: Any) -> InDomainClip:
    return train_clip(recipe(**settings), FACES.train, captions, WORDS)


@pytest.fixture(scope="module")
def scorer() -> InDomainClip:
    return trained()


def test_right_captions_score_above_shuffled_ones(scorer: InDomainClip) -> None:
    """On images that it did not learn from; untrained, it cannot tell them apart."""
    check = check_captions(scorer, FACES.held_out, captions, torch.Generator().manual_seed(0))
    assert check.wins > 0.8
    assert check.matched > check.shuffled + 20
    assert check.toggled["hat"] > 0.8
    untrained = InDomainClip(recipe(), scorer.merges)
    guess = check_captions(untrained, FACES.held_out, captions, torch.Generator().manual_seed(0))
    assert 0.3 < guess.wins < 0.7


def test_training_is_its_seed_s_alone() -> None:
    short = {"steps": 2, "batch_size": 8}
    torch.manual_seed(0)
    one = trained(training=short).digest()
    torch.manual_seed(1)
    assert trained(training=short).digest() == one
    assert trained(training=short, seed=1).digest() != one
    assert trained(training=short, max_shift=0).digest() != one


def test_every_step_is_told(scorer: InDomainClip) -> None:
    told: list[tuple[int, float]] = []
    train_clip(
        recipe(training={"steps": 3}),
        FACES.train,
        captions,
        WORDS,
        on_step=lambda step, loss: told.append((step, loss)),
    )
    assert [step for step, _ in told] == [0, 1, 2]
    assert not scorer.model.training


def test_what_cannot_be_learnt_is_refused() -> None:
    with pytest.raises(UserError, match="longer than the 4 tokens"):
        trained(context_length=4)
    with pytest.raises(Diverged):
        trained(training={"learning_rate": 1e30, "warmup_steps": 0})


def test_copies_of_a_caption_are_no_false_negatives_to_open_clip_s_loss() -> None:
    """Loss and gradient are those of a target that is spread evenly over all copies."""
    generator = torch.Generator().manual_seed(0)
    images, texts = torch.randn(12, 5, generator=generator), torch.randn(4, 5, generator=generator)
    which = torch.randint(4, (12,), generator=generator)

    def spread(seen: Tensor, told: Tensor, scale: float) -> Tensor:
        target = (which[:, None] == which).float()
        target /= target.sum(1, keepdim=True)
        logits = scale * seen @ told.T
        return (cross_entropy(logits, target) + cross_entropy(logits.T, target)) / 2

    def loss_and_gradients(loss: Any) -> list[Tensor]:
        leaves = [images.clone().requires_grad_(), texts.clone().requires_grad_()]
        value = loss(normalize(leaves[0], dim=1), normalize(leaves[1], dim=1)[which], 10.0)
        return [value, *torch.autograd.grad(value, leaves)]

    for one, other in zip(loss_and_gradients(open_clip.ClipLoss()), loss_and_gradients(spread), strict=True):
        torch.testing.assert_close(one, other)


class Oracle(nn.Module):
    """Sees in an image's first pixel which of two things it shows, and reads the same in a prompt."""

    context_length = 2

    def __init__(self, blind: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.eye(2) if not blind else torch.tensor([[1.0, 0.0], [0.0, 0.0]]))

    def encode_image(self, images: Tensor) -> Tensor:
        return (2 * images[:, :2, 0, 0] - 1) @ self.weight

    def encode_text(self, tokens: Tensor) -> Tensor:
        return 2.0 * tokens - 1


def told(concepts: Tensor, generator: torch.Generator) -> list[str]:  # noqa: ARG001
    return ["".join("10"[not flag] for flag in row) for row in concepts.tolist()]


def oracle(blind: bool) -> ClipScorer:
    def tokens(prompts: Sequence[str], context_length: int) -> Tensor:
        return torch.tensor([[*map(int, prompt), 0][:context_length] for prompt in prompts])

    def pixels(image: Any) -> Tensor:
        return torch.tensor(image.getpixel((0, 0)))[:, None, None] / 255

    return ClipScorer("oracle/fp32", Oracle(blind), pixels, tokens)


def two_things() -> ImageSet:
    concepts = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=torch.bool).repeat(10, 1)
    colours = torch.cat([concepts, torch.zeros(40, 1, dtype=torch.bool)], 1)
    return ImageSet(colours[:, :, None, None].to(torch.uint8) * 255, concepts, ("first", "second"))


def test_the_check_of_one_that_knows_and_of_one_that_sees_half() -> None:
    """Cosines are 1, 0 or -1 for two, one or no concept in common; the half-blind one's are +-1/sqrt(2)."""
    generator = torch.Generator().manual_seed(0)
    knows = check_captions(oracle(blind=False), two_things(), told, generator)
    assert (knows.matched, knows.wins) == (pytest.approx(100.0), 1.0)
    assert knows.toggled == {"first": 1.0, "second": 1.0}
    assert -100 <= knows.shuffled <= 0
    half = check_captions(oracle(blind=True), two_things(), told, torch.Generator().manual_seed(0))
    assert half.matched == pytest.approx(100 / 2**0.5)
    assert half.toggled == {"first": 1.0, "second": 0.0}
    assert 0.3 < half.wins < 0.95


def test_images_that_are_all_alike_cannot_check_anything() -> None:
    alike = two_things().subset(torch.arange(40) % 4 == 0)
    with pytest.raises(ValueError, match="no caption is wrong"):
        check_captions(oracle(blind=False), alike, told, torch.Generator())
