"""u-FID in Inception's features: the network with random weights, in the file format that torch-fidelity publishes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch_fidelity
from elsewhere import Bomb
from scipy_frechet import scipy_distance
from torch import Tensor
from torch.utils.data import Dataset, TensorDataset
from torch_fidelity import feature_extractor_inceptionv3 as theirs
from torch_fidelity.metric_fid import KEY_METRIC_FID

from vdu_bench.errors import UserError
from vdu_bench.metrics.fidelity import InceptionFrechetDistance
from vdu_bench.metrics.frechet import BATCH, frechet_distance, inception_statistics
from vdu_bench.metrics.inception import EXTRACTOR, FEATURES, Inception
from vdu_bench.tasks.loading import find_task


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as `URL_INCEPTION_V3` is one, of random weights."""
    file = tmp_path_factory.mktemp("inception") / "weights-inception.pth"
    with pytest.MonkeyPatch.context() as patch, torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        patch.setattr(theirs, "load_state_dict_from_url", lambda *_, **__: {})
        patch.setattr(theirs.FeatureExtractorInceptionV3, "load_state_dict", lambda *_: None)
        network = theirs.FeatureExtractorInceptionV3(EXTRACTOR, ["2048"])
    torch.save(network.state_dict(), file)
    return file


def fid(one: Tensor, two: Tensor, inception: Inception) -> float:
    return frechet_distance(*(inception_statistics(images, inception) for images in (one, two)))


def pictures(seed: int, channels: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(40 * seed, 256, (5, channels, 16, 16), generator=generator).to(torch.uint8)


class Pictures(Dataset[Tensor]):
    def __init__(self, images: Tensor) -> None:
        self.images = TensorDataset(images)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Tensor:
        return self.images[index][0]


def test_is_torch_fidelity_s_own_and_the_closed_form_of_its_features(weights: Path) -> None:
    one, two = pictures(1), pictures(2)
    value = fid(one, two, Inception.find(str(weights), "cpu"))
    options: dict[str, Any] = {
        "feature_extractor_weights_path": str(weights),
        "cuda": False,
        "verbose": False,
        "save_cpu_ram": True,
    }
    found = torch_fidelity.calculate_metrics(
        input1=Pictures(one), input2=Pictures(two), fid=True, batch_size=5, cache=False, **options
    )
    assert value == pytest.approx(found[KEY_METRIC_FID], rel=1e-6)
    network = theirs.FeatureExtractorInceptionV3(EXTRACTOR, ["2048"], str(weights))
    with torch.no_grad():
        features = [network(images)[0].double().numpy() for images in (one, two)]
    # Five images span four directions, in which the covariances are whole.
    basis = np.linalg.svd(np.concatenate([f - f.mean(0) for f in features]), full_matrices=False)[2]
    shift = features[0].mean(0) - features[1].mean(0)
    outside = shift - basis.T @ (basis @ shift)
    assert value == pytest.approx(scipy_distance(*(f @ basis.T for f in features)) + outside @ outside, rel=1e-2)


def test_weighted_images_compare_with_plain_ones(weights: Path) -> None:
    """As of a text-to-image task, whose prompts' answers weigh alike; equal weights are none."""
    one, two, inception = pictures(1), pictures(2), Inception.find(str(weights), "cpu")
    plain, first = fid(one, two, inception), inception_statistics(one, inception)
    equal, uneven = (
        frechet_distance(first, inception_statistics(two, inception, weights=np.array(shares)))
        for shares in ([0.2] * 5, [0.6, 0.1, 0.1, 0.1, 0.1])
    )
    assert equal == pytest.approx(plain, rel=1e-3, abs=0)
    assert uneven != pytest.approx(plain, rel=1e-2, abs=0)


def test_grey_images_are_three_equal_channels(weights: Path) -> None:
    inception = Inception.find(str(weights), "cpu")
    one, two = pictures(1, channels=1), pictures(2, channels=1)
    assert fid(one, two, inception) == fid(one.repeat(1, 3, 1, 1), two.repeat(1, 3, 1, 1), inception)


def test_some_of_the_images_are_as_good_as_these_alone(weights: Path) -> None:
    inception, images, kept = Inception.find(str(weights), "cpu"), pictures(1), [0, 2, 3]
    some, alone = (inception_statistics(images, inception, kept), inception_statistics(images[kept], inception))
    assert all(np.array_equal(some[name], alone[name]) for name in ("mu", "sigma"))


def test_the_record_can_tell_the_weights(weights: Path) -> None:
    assert Inception.find(str(weights), "cpu").digest() == hashlib.sha256(weights.read_bytes()).hexdigest()


def test_what_is_no_weights_of_inception_is_refused(tmp_path: Path) -> None:
    mend = "task.inception.file=FILE"
    with pytest.raises(UserError, match=f"are not there: .*{mend}"):
        Inception.find(str(tmp_path / "none.pth"), "cpu")
    torch.save({"w": torch.ones(1)}, tmp_path / "other.pth")
    with pytest.raises(UserError, match=f"are not the weights of torch-fidelity's Inception: .*{mend}"):
        Inception.find(str(tmp_path / "other.pth"), "cpu")
    torch.save({"fc.weight": torch.ones(1000, FEATURES)}, tmp_path / "inception_v3_google.pth")
    with pytest.raises(UserError, match=f"are torchvision's Inception, with 1000 classes for the 1008 of .*{mend}"):
        Inception.find(str(tmp_path / "inception_v3_google.pth"), "cpu")
    torch.save({"fc.weight": Bomb(tmp_path / "exploded")}, tmp_path / "hostile.pth")
    with pytest.raises(UserError, match=f"cannot be read as tensors alone .*{mend}"):
        Inception.find(str(tmp_path / "hostile.pth"), "cpu")
    assert not (tmp_path / "exploded").exists()


def test_what_is_put_in_the_place_of_a_checked_file_is_not_run(weights: Path, tmp_path: Path) -> None:
    file = tmp_path / "weights.pth"
    file.write_bytes(weights.read_bytes())
    inception, sha256 = Inception.find(str(file), "cpu"), hashlib.sha256(file.read_bytes()).hexdigest()
    torch.save({"fc.weight": Bomb(tmp_path / "exploded")}, file)
    found = inception_statistics(pictures(1), inception)
    assert not (tmp_path / "exploded").exists()
    assert inception.digest() == sha256
    assert np.array_equal(found["mu"], inception_statistics(pictures(1), Inception.find(str(weights), "cpu"))["mu"])


def test_without_a_network_the_error_says_what_to_get(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: Any, **__: Any) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    with pytest.raises(UserError, match=r"cannot be fetched \(.*no route to host\): get the 91 MB of https://"):
        Inception.find(None, "cpu")


def test_what_was_fetched_once_is_found(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    place = tmp_path / "checkpoints" / theirs.URL_INCEPTION_V3.rpartition("/")[2]
    place.parent.mkdir()
    place.symlink_to(weights)
    assert Inception.find(None, "cpu").weights == place


def test_it_is_of_the_tasks_that_name_it_and_of_enough_samples() -> None:
    applies = InceptionFrechetDistance.applies
    assert applies(find_task("cifar10_ship"))
    assert not applies(find_task("digits_1"))
    assert find_task("cifar10_ship").samples == 10_000
    hats = find_task("celeba_hats")
    assert hats.samples < FEATURES
    assert not applies(hats), "an evening of a card has fewer samples than Inception has features"
    assert applies(hats.model_copy(update={"samples": 2500, "inception": find_task("cifar10_ship").inception}))


def test_batches_are_always_as_large() -> None:
    """On a GPU with whatever is free there: the last bits of features depend on how many images are beside them."""
    assert BATCH == {"cpu": 64, "cuda": 256}


@pytest.mark.cuda
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="there are no two GPUs")
def test_features_are_taken_on_the_card_that_was_asked_for(weights: Path) -> None:
    torch.cuda.reset_peak_memory_stats(0)
    before = torch.cuda.max_memory_allocated(0)
    fid(pictures(1), pictures(2), Inception.find(str(weights), "cuda:1"))
    assert torch.cuda.max_memory_allocated(0) == before
    assert torch.cuda.max_memory_allocated(1) > 2**20
