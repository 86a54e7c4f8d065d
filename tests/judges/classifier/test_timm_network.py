from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from pydantic import TypeAdapter, ValidationError
from safetensors.torch import save_file

from vdu_bench.data.sources.digits import load_digits
from vdu_bench.errors import UserError
from vdu_bench.judges.classifier.augmentation import mirror
from vdu_bench.judges.classifier.judge import Judge
from vdu_bench.judges.classifier.networks import make_network
from vdu_bench.judges.classifier.training import train_judge
from vdu_bench.judges.specs import AnyJudgeRecipe, SmallCNNRecipe, TimmRecipe, read_recipe

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


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and no network."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


def plant_weights(hub_cache: Path, architecture: str, seed: int = 5) -> timm.models.ResNet:
    """Put weights for ImageNet's 1,000 classes where the hub would have put timm's; the network that has them."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = timm.create_model(architecture, pretrained=False)
    repo = hub_cache / f"models--{timm.get_pretrained_cfg(architecture).hf_hub_id.replace('/', '--')}"
    commit = "0123456789abcdef0123456789abcdef01234567"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text(commit)
    (repo / "snapshots" / commit).mkdir(parents=True)
    save_file(network.state_dict(), repo / "snapshots" / commit / "model.safetensors")
    return network.eval()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("architecture", ["test_resnet", "resnet18"])
def test_pretrained_features_are_timm_s_of_images_it_was_trained_for(
    hub_cache: Path, architecture: str, channels: int
) -> None:
    """resnet18 expects ImageNet's mean and deviation, test_resnet one half for both."""
    theirs = plant_weights(hub_cache, architecture)
    ours = make_network(recipe(architecture, pretrained=True), (channels, 32, 32), 11).eval()
    pixels = torch.randint(0, 256, (4, channels, 32, 32), generator=torch.Generator().manual_seed(0))
    facts = theirs.pretrained_cfg
    assert (facts["mean"] == (0.485, 0.456, 0.406)) == (architecture == "resnet18")
    mean, std = (torch.tensor(facts[name]).reshape(3, 1, 1) for name in ("mean", "std"))
    with torch.inference_mode():
        expected = theirs.forward_head(theirs.forward_features((pixels / 255 - mean) / std), pre_logits=True)
        torch.testing.assert_close(ours.features(pixels / 127.5 - 1), expected, rtol=1e-4, atol=1e-5)
        assert tuple(ours(pixels / 127.5 - 1).shape) == (4, 11)


def test_a_pretrained_judge_is_read_again_where_there_is_no_network(tmp_path: Path, hub_cache: Path) -> None:
    theirs = plant_weights(hub_cache, "test_resnet")
    splits = load_digits()
    judge = train_judge("judge", recipe(pretrained=True), splits)
    judge.save(tmp_path / "judge")
    hub_cache.rename(tmp_path / "elsewhere")
    again = Judge.load(tmp_path / "judge")
    assert again.recipe == judge.recipe
    assert again.digest() == judge.digest() != train_judge("judge", recipe(), splits).digest()
    some = splits.held_out.images[:20]
    for one, other in zip(judge.read(some), again.read(some), strict=True):
        assert torch.equal(one, other)
    moved = again.network.body.conv1[0].weight - theirs.conv1[0].weight
    assert 0 < float(moved.detach().abs().max()) < 0.01, "two steps from where it started"


def test_pretrained_weights_that_cannot_be_had_are_an_error(hub_cache: Path) -> None:
    assert not hub_cache.exists()
    with pytest.raises(UserError) as caught:
        make_network(recipe("resnet18", pretrained=True), (3, 32, 32), 11)
    for words in ("'resnet18'", "https://huggingface.co/timm/resnet18.a1_in1k", "pretrained: false"):
        assert words in str(caught.value)


def test_a_pickle_of_weights_is_not_read(hub_cache: Path) -> None:
    plant_weights(hub_cache, "test_resnet")
    (file,) = hub_cache.rglob("model.safetensors")
    file.rename(file.with_name("pytorch_model.bin"))
    with pytest.raises(UserError, match="cannot be had"):
        make_network(recipe(pretrained=True), (3, 32, 32), 11)


def test_without_pretrained_weights_a_recipe_and_its_network_say_nothing_of_them() -> None:
    """The dump is an address and the state's digest is in records: those of before must stay what they were."""
    plain = recipe()
    assert plain.model_dump(mode="json") == {
        "network": "timm", "architecture": "test_resnet", "stem": "own", "mirror": False, "max_shift": 1,
        "max_rotation": 10.0, "outliers": 0.25, "seed": 0, "training": plain.training.model_dump(mode="json"),
    }  # fmt: skip
    assert recipe(pretrained=False).model_dump() == plain.model_dump()
    assert "pretrained" not in plain.model_dump_json()
    asked = recipe(pretrained=True)
    assert asked.model_dump() == {**plain.model_dump(), "pretrained": True}
    assert read_recipe(asked.model_dump(mode="json")) == asked
    assert "pretrained" not in TypeAdapter(AnyJudgeRecipe).dump_python(plain)
    state = make_network(plain, (3, 32, 32), 11).state_dict()
    assert all(name.startswith("body.") for name in state)


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
        ({"architecture": "resnet81", "pretrained": True}, "timm has no model 'resnet81'; did you mean 'resnet"),
        ({"architecture": "resnet18.mine", "pretrained": True}, "no such weights .*'resnet18.mine'"),
        ({"architecture": "botnet50ts_256", "pretrained": True}, "no weights on the .* hub for 'botnet50ts_256'"),
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
        ({"network": "tim"}, "small_cnn, timm or svm"),
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
