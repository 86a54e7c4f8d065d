"""The portraits: their labels can be seen, their pairs differ where they should, and they can be made again."""

from __future__ import annotations

import csv
import itertools
import json
import sys
from dataclasses import replace
from importlib.resources.abc import Traversable
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from vdu_bench.data import portraits
from vdu_bench.data.sources.faces import NAMES, PAIRED, load_faces, load_pairs, packaged_faces
from vdu_bench.data.splits import DataSplits
from vdu_bench.errors import UserError

ROW, FOREHEAD, MIDDLE = 3, slice(4, 12), slice(6, 10)


@pytest.fixture(scope="module")
def faces() -> DataSplits:
    return load_faces()


def _files() -> list[Traversable]:
    """The data's own files; the models that were trained on them lie in folders beside them."""
    return [file for file in packaged_faces().iterdir() if file.is_file()]


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    for file in _files():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def manifest() -> dict[str, dict[str, str]]:
    loaded: dict[str, dict[str, str]] = json.loads((packaged_faces() / "manifest.json").read_text(encoding="utf-8"))
    return loaded


def pixels(images: torch.Tensor) -> np.ndarray:
    return images.flatten(1).numpy().astype(np.float32) / 255


def test_counts_shapes_and_names(faces: DataSplits) -> None:
    assert faces.train.images.shape == (5000, 3, 16, 16)
    assert faces.held_out.images.shape == (1000, 3, 16, 16)
    assert faces.train.names == faces.held_out.names == ("eyeglasses", "hat", "bangs", "long_hair", "beard")


def test_fingerprints_match_the_manifest(faces: DataSplits) -> None:
    assert faces.digest() == manifest()["fingerprints"]["faces"]
    assert set(faces.pairs) == set(PAIRED)
    for attribute in PAIRED:
        assert faces.pairs[attribute].digest() == load_pairs(attribute).digest()
        assert load_pairs(attribute).digest() == manifest()["fingerprints"][f"pairs_{attribute}"]


def test_the_data_are_small() -> None:
    assert sum(len(file.read_bytes()) for file in _files()) < 1_000_000


def test_no_two_pictures_are_equal(faces: DataSplits) -> None:
    pairs = [load_pairs(attribute) for attribute in PAIRED]
    halves = [half for pair in pairs for half in (pair.without, pair.with_)]
    everything = torch.cat([faces.train.images, faces.held_out.images, *halves])
    assert len({picture.tobytes() for picture in everything.numpy()}) == len(everything) == 8400


@pytest.mark.parametrize(
    ("name", "share"), [("eyeglasses", 0.35), ("hat", 0.30), ("bangs", 0.315), ("long_hair", 0.40), ("beard", 0.25)]
)
def test_prevalence(faces: DataSplits, name: str, share: float) -> None:
    for split, tolerance in ((faces.train, 0.025), (faces.held_out, 0.05)):
        assert split.shows(name).float().mean().item() == pytest.approx(share, abs=tolerance)


def test_attributes_are_independent_but_for_bangs_under_a_hat(faces: DataSplits) -> None:
    train = faces.train
    assert not (train.shows("hat") & train.shows("bangs")).any()
    correlation = np.corrcoef(train.concepts.numpy().T.astype(float))
    for one, other in itertools.combinations(range(len(NAMES)), 2):
        if {NAMES[one], NAMES[other]} != {"hat", "bangs"}:
            assert abs(correlation[one, other]) < 0.05
    hatless = train.subset(~train.shows("hat"))
    assert hatless.shows("bangs").float().mean().item() == pytest.approx(0.45, abs=0.03)


def test_hair_labels_follow_the_style_that_was_drawn() -> None:
    table = csv.DictReader((packaged_faces() / "faces.csv").read_text(encoding="utf-8").splitlines())
    for row in table:
        has_bangs = row["hair"] in portraits.LONG_WITH_BANGS + portraits.SHORT_WITH_BANGS
        assert (row["bangs"] == "1") == (has_bangs and row["hat"] == "0")
        assert (row["long_hair"] == "1") == row["hair"].startswith("long")


@pytest.mark.parametrize("name", NAMES)
def test_a_linear_classifier_sees_each_attribute(faces: DataSplits, name: str) -> None:
    classifier = LogisticRegression(max_iter=200).fit(pixels(faces.train.images), faces.train.shows(name).numpy())
    assert classifier.score(pixels(faces.held_out.images), faces.held_out.shows(name).numpy()) > 0.95
    if name in PAIRED:
        pairs = load_pairs(name)
        assert classifier.predict(pixels(pairs.with_)).mean() > 0.95
        assert classifier.predict(pixels(pairs.without)).mean() < 0.05


@pytest.mark.parametrize("attribute", PAIRED)
def test_pairs_differ_in_one_attribute(attribute: str) -> None:
    pairs = load_pairs(attribute)
    assert len(pairs) == 400
    assert pairs.without.shape == pairs.with_.shape == (400, 3, 16, 16)
    toggled = (pairs.concepts_without ^ pairs.concepts_with).float().mean(0).tolist()
    assert toggled == [float(name == attribute) for name in NAMES]
    assert pairs.concepts_with[:, NAMES.index(attribute)].all()


@pytest.mark.parametrize(("attribute", "rows"), [("eyeglasses", range(4, 9)), ("hat", range(5))])
def test_eyeglasses_and_hats_change_only_their_place(attribute: str, rows: range) -> None:
    pairs = load_pairs(attribute)
    changed = (pairs.without != pairs.with_).any(1)
    assert changed.flatten(1).sum(1).min() >= 16
    elsewhere = [row for row in range(16) if row not in rows]
    assert not changed[:, elsewhere].any()


def test_bangs_change_the_forehead_and_leave_the_face_alone() -> None:
    pairs = load_pairs("bangs")
    changed = (pairs.without != pairs.with_).any(1)
    assert changed[:, ROW, MIDDLE].all()
    assert changed.flatten(1).sum(1).max() <= 18
    assert not changed[:, ROW + 1 :, 6:11].any()


def test_unknown_pairs_are_refused() -> None:
    with pytest.raises(UserError, match="did you mean 'eyeglasses'"):
        load_pairs("glasses")


@pytest.mark.parametrize("name", ["faces.png", "faces.csv"])
def test_a_damaged_file_is_named(copied: Path, name: str) -> None:
    content = bytearray((copied / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copied / name).write_bytes(content)
    with pytest.raises(UserError, match=rf"{name} is damaged"):
        load_faces(copied)


def test_a_missing_file_is_named(copied: Path) -> None:
    (copied / "pairs_hat.png").unlink()
    with pytest.raises(UserError, match=r"pairs_hat\.png cannot be read"):
        load_pairs("hat", copied)
    (copied / "manifest.json").write_text("{")
    with pytest.raises(UserError, match=r"manifest\.json is missing or damaged"):
        load_pairs("hat", copied)


def test_making_without_the_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dicebear", None)
    with pytest.raises(UserError, match="pip install .*dicebear"):
        portraits.render(portraits.draw_face("faces", 0))


class TestMakingAgain:
    """With the extra `faces` alone."""

    @pytest.fixture(autouse=True)
    def _needs_the_extra(self) -> None:
        for module in ("dicebear", "dicebear_styles", "resvg_py"):
            pytest.importorskip(module, reason="making faces needs the extra 'faces' (dicebear, resvg-py)")

    @pytest.mark.parametrize("number", [0, 1, 4999, 5999])
    def test_faces_come_out_the_same(self, faces: DataSplits, number: int) -> None:
        split, place = (faces.train, number) if number < 5000 else (faces.held_out, number - 5000)
        picture, options = portraits.render(portraits.draw_face("faces", number))
        assert np.array_equal(picture, split.images[place].numpy())
        assert portraits.attributes(options) == split.concepts[place].tolist()

    @pytest.mark.parametrize("attribute", PAIRED)
    def test_pairs_come_out_the_same(self, attribute: str) -> None:
        pairs = load_pairs(attribute)
        for number in (0, 399):
            halves = [portraits.render(face) for face in portraits.draw_pair(attribute, number)]
            for (picture, options), images, concepts in zip(
                halves, (pairs.without, pairs.with_), (pairs.concepts_without, pairs.concepts_with), strict=True
            ):
                assert np.array_equal(picture, images[number].numpy())
                assert portraits.attributes(options) == concepts[number].tolist()

    def test_every_pixel_is_one_flat_colour(self) -> None:
        for number in range(10):
            face = portraits.draw_face("faces", number)
            small, large = portraits.render(face)[0], portraits.render(face, size=160)[0]
            assert np.array_equal(small.repeat(10, axis=1).repeat(10, axis=2), large)

    def test_styles_have_hair_on_the_forehead_or_not(self) -> None:
        face = portraits.Face("any", False, False, False, "long01", "#ffdbac", "#009bbd", "#a62116", "#f2f2f2")
        blue = np.array([0x00, 0x9B, 0xBD], np.uint8)[:, None, None]
        for style in portraits.LONG_WITH_BANGS + portraits.SHORT_WITH_BANGS:
            picture, _ = portraits.render(replace(face, hair=style))
            assert (picture == blue).all(0)[ROW, FOREHEAD].all(), style
        for style in portraits.LONG_WITHOUT + portraits.SHORT_WITHOUT:
            picture, _ = portraits.render(replace(face, hair=style))
            assert not (picture == blue).all(0)[ROW, MIDDLE].any(), style
