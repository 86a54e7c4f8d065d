from __future__ import annotations

import pytest
import torch

from vdu_bench.data.image_set import ImageSet
from vdu_bench.data.sources.digits import load_digits
from vdu_bench.data.splits import DataSplits
from vdu_bench.data.splitting import stratified_split
from vdu_bench.errors import UserError


def images(n: int) -> torch.Tensor:
    return torch.arange(n, dtype=torch.uint8)[:, None, None, None].expand(-1, 1, 2, 2)


def test_classes_are_concepts_of_which_each_image_shows_one() -> None:
    labels = torch.tensor([2, 0, 1, 2])
    data = ImageSet.of_classes(images(4), labels, ["a", "b", "c"])
    assert torch.equal(data.labels(), labels)
    assert data.shows("c").tolist() == [True, False, False, True]
    kept = data.subset(~data.shows("c"))
    assert kept.images[:, 0, 0, 0].tolist() == [1, 2]
    with pytest.raises(KeyError):
        data.shows("d")


def test_attributes_are_no_classes() -> None:
    data = ImageSet(images(2), torch.tensor([[True, True], [False, False]]), ("hat", "beard"))
    with pytest.raises(ValueError, match="attributes, not classes"):
        data.labels()


def test_wrong_types_and_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="uint8"):
        ImageSet(images(2).float(), torch.ones(2, 1, dtype=torch.bool), ("a",))
    with pytest.raises(ValueError, match="concepts must be bool"):
        ImageSet(images(2), torch.ones(3, 1, dtype=torch.bool), ("a",))


def test_the_digest_sees_pixels_labels_and_names() -> None:
    base = ImageSet.of_classes(images(3), torch.tensor([0, 1, 1]), ["a", "b"])
    changed = base.images.clone()
    changed[1, 0, 0, 0] ^= 1
    others = [
        ImageSet(changed, base.concepts, base.names),
        ImageSet.of_classes(base.images, torch.tensor([0, 1, 0]), ["a", "b"]),
        ImageSet(base.images, base.concepts, ("a", "c")),
    ]
    assert base.digest() == base.subset(torch.arange(3)).digest()
    assert len({base.digest(), *(other.digest() for other in others)}) == 4


def test_a_split_is_stratified_whole_and_the_seed_s_alone() -> None:
    labels = torch.arange(100) % 4
    train, held_out = stratified_split(labels, 5, 0)
    assert sorted([*train.tolist(), *held_out.tolist()]) == list(range(100))
    assert labels[held_out].bincount().tolist() == [5] * 4
    assert torch.equal(held_out, stratified_split(labels, 5, 0)[1])
    assert not torch.equal(held_out, stratified_split(labels, 5, 1)[1])
    with pytest.raises(ValueError, match="class 0 has 25 images"):
        stratified_split(labels, 25, 0)


def test_the_digits_are_scikit_learn_s() -> None:
    splits = load_digits()
    assert (len(splits.train), len(splits.held_out)) == (1297, 500)
    assert splits.train.images.shape[1:] == (1, 8, 8)
    assert splits.train.images.max() == 255
    assert splits.held_out.labels().bincount().tolist() == [50] * 10
    from sklearn.datasets import load_digits as original

    pixels = sorted(map(tuple, original().data.astype(int).tolist()))
    ours = torch.cat([splits.train.images, splits.held_out.images]).flatten(1).float() * 16 / 255
    assert sorted(map(tuple, ours.round().int().tolist())) == pixels


def test_only_some_concepts_and_what_shows_them() -> None:
    images = torch.arange(6, dtype=torch.uint8)[:, None, None, None]
    whole = ImageSet.of_classes(images, torch.tensor([0, 1, 2, 0, 2, 1]), ("a", "b", "c"))
    splits = DataSplits(whole, whole.subset(torch.tensor([1, 2, 4])), {"a": "an a", "c": "a c"}).only(("c", "a"))
    assert splits.train.names == ("c", "a")
    assert splits.train.images.flatten().tolist() == [0, 2, 3, 4]
    assert splits.train.labels().tolist() == [1, 0, 1, 0]
    assert splits.held_out.images.flatten().tolist() == [2, 4]
    assert splits.titles == {"c": "a c", "a": "an a"}
    with pytest.raises(UserError, match="the data have no 'd' to keep"):
        splits.only(("a", "d"))
