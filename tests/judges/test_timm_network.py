from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from vdu_bench.data.digits import load_digits
from vdu_bench.errors import UserError
from vdu_bench.judges.augmentation import mirror
from vdu_bench.judges.judge import Judge
from vdu_bench.judges.network import make_network
from vdu_bench.judges.specs import SmallCNNRecipe, TimmRecipe, read_recipe
from vdu_bench.judges.training import train_judge

TRAINING = {"steps": 2, "batch_size": 8, "learning_rate": 0.001}


def recipe(architecture: str = "test_resnet", **settings: object) -> TimmRecipe:
    return TimmRecipe.model_validate(
        {"network": "timm", "architecture": architecture, "training": TRAINING, **settings}
    )


@pytest.mark.parametrize("architecture", ["test_resnet", "test_convnext", "test_efficientnet"])
@pytest.mark.parametrize("channels", [1, 3])
def test_features_and_read_out_are_the_whole_network(architecture: str, channels: int) -> None:
    network = make_network(recipe(architecture), (channels, 32, 32), 11).eval()
    images = torch.rand(4, channels, 32, 32) * 2 - 1
    with torch.inference_mode():
        features = network.features(images)
        assert features.dim() == 2
        assert tuple(network(images).shape) == (4, 11)
        torch.testing.assert_close(network.body(images), network(images))


def test_the_small_stem_keeps_the_size_of_small_images() -> None:
    own, small = (make_network(recipe("resnet18", stem=stem), (3, 32, 32), 11).eval() for stem in ("own", "small"))
    images = torch.zeros(1, 3, 32, 32)
    with torch.inference_mode():
        assert tuple(own.body.forward_features(images).shape) == (1, 512, 1, 1)
        assert tuple(small.body.forward_features(images).shape) == (1, 512, 4, 4)
        assert tuple(small(images).shape) == (1, 11)


def test_weights_are_the_seed_s_alone() -> None:
    def weights(seed: int) -> torch.Tensor:
        return torch.cat([p.flatten() for p in make_network(recipe(seed=seed), (1, 8, 8), 11).parameters()])

    torch.manual_seed(1)
    first, state = weights(0), torch.get_rng_state()
    torch.manual_seed(2)
    assert torch.equal(first, weights(0))
    assert not torch.equal(first, weights(1))
    torch.manual_seed(1)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"architecture": "resnet81"}, "timm has no model 'resnet81'; did you mean 'resnet"),
        ({"architecture": "test_efficientnet", "stem": "small"}, "no ResNet's stem"),
    ],
)
def test_what_cannot_be_a_judge_is_refused(settings: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        make_network(recipe(**settings), (3, 32, 32), 11)


def test_a_judge_is_trained_saved_and_read_again(tmp_path: Path) -> None:
    splits = load_digits()
    one, two = (train_judge("judge", recipe(mirror=True, max_shift=1), splits) for _ in range(2))
    assert one.digest() == two.digest()
    assert one.digest() != train_judge("judge", recipe(max_shift=1), splits).digest()
    assert tuple(one.confusion.shape) == (10, 11)
    one.save(tmp_path)
    again = Judge.load(tmp_path)
    assert again.recipe == one.recipe
    assert again.digest() == one.digest()
    some = splits.held_out.images[:20]
    for ours, theirs in zip(one.read(some), again.read(some), strict=True):
        assert torch.equal(ours, theirs)


def test_a_recipe_s_dump_has_nothing_of_the_other_network() -> None:
    """The dump is the address of what is made from it: a setting of timm's must not move the small network's."""
    small = read_recipe({"training": TRAINING})
    assert isinstance(small, SmallCNNRecipe)
    assert set(small.model_dump()) == {
        "network", "width", "features", "max_shift", "max_rotation", "outliers", "training", "seed",
    }  # fmt: skip
    large = recipe()
    assert read_recipe(large.model_dump()) == large
    assert not {"width", "features"} & set(large.model_dump())


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"network": "tim"}, "small_cnn or timm"),
        ({"network": "timm"}, "architecture"),
        ({"network": "timm", "architecture": "resnet18", "width": 3}, "width"),
        ({"network": "small_cnn", "architecture": "resnet18"}, "architecture"),
    ],
)
def test_a_recipe_of_neither_network_is_refused(wrong: dict, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        read_recipe({"training": TRAINING, **wrong})


def test_mirroring_turns_half_of_the_images() -> None:
    x = torch.arange(12.0).reshape(1, 1, 3, 4).expand(400, -1, -1, -1)
    turned = (mirror(x, torch.Generator().manual_seed(0)) == x.flip(3)).flatten(1).all(1)
    assert 160 < int(turned.sum()) < 240
    assert torch.equal(mirror(x, torch.Generator().manual_seed(0))[~turned], x[~turned])
