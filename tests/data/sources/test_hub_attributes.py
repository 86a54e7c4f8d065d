from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import torch
from miniatures import (
    HUB_CONFIG,
    face,
    face_shows,
    pictures,
    write_celeba,
    write_celeba_hub,
    write_celeba_parquet,
    write_parquet,
)
from PIL import Image

from vdu_bench.data.catalog import data_stamp, load_data
from vdu_bench.data.sources.celeba import ATTRIBUTES, CelebA
from vdu_bench.data.sources.hub_attributes import HubAttributes
from vdu_bench.data.specs import DataSpec
from vdu_bench.errors import NotFetched, UserError
from vdu_bench.fetching import nothing_fetched

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("datasets") is None,
    reason="datasets is not installed",
)
ALL = {"train_images": "all", "held_out_images": "all"}


def source(**options: object) -> HubAttributes:
    return HubAttributes.model_validate(
        {"id": "flwrlabs/celeba", "attributes": ("Wearing_Hat", "Young"), "size": 16, **options}
    )


COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """What the hub would answer, from a folder. A file that is asked for comes into a cache laid out as the real one.

    Without a network it is huggingface_hub that answers, from that cache.
    """

    def __init__(self, files: Path, cache: Path, online: pytest.MonkeyPatch, monkeypatch: pytest.MonkeyPatch) -> None:
        self.files, self.repo = files, cache / "datasets--flwrlabs--celeba"
        self.snapshot = self.repo / "snapshots" / COMMIT
        self.online, self.monkeypatch = online, monkeypatch
        for module in ("constants", "utils._cache_manager"):
            monkeypatch.setattr(f"huggingface_hub.{module}.HF_HUB_CACHE", str(cache))
        online.setattr("huggingface_hub.HfApi.list_repo_files", lambda _, *names, **facts: self.listed(*names, **facts))
        online.setattr("huggingface_hub.hf_hub_download", self.download)

    def cut_off(self) -> None:
        self.online.undo()
        self.monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    def listed(self, name: str, repo_type: str, revision: str | None) -> list[str]:
        assert (name, repo_type, revision) == ("flwrlabs/celeba", "dataset", None)
        return ["README.md", *(file.relative_to(self.files).as_posix() for file in self.files.rglob("*.parquet"))]

    def download(self, name: str, file: str, repo_type: str, revision: str | None) -> str:
        assert (name, repo_type, revision) == ("flwrlabs/celeba", "dataset", None)
        target = self.snapshot / file
        if not target.exists():
            for folder in (target.parent, self.repo / "refs", self.repo / "blobs"):
                folder.mkdir(parents=True, exist_ok=True)
            (self.repo / "refs" / "main").write_text(COMMIT)
            shutil.copy2(self.files / file, target)
        return str(target)

    def fetched(self) -> list[str]:
        return sorted(file.name for file in self.snapshot.rglob("*.parquet"))


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with pytest.MonkeyPatch.context() as online:
        yield Hub(write_celeba_hub(tmp_path / "remote"), tmp_path / "cache", online, monkeypatch)


def test_a_local_folder_has_the_same_content_as_the_official_files(tmp_path: Path) -> None:
    folder = write_celeba(tmp_path / "celeba")
    jpegs = folder / "img_align_celeba"
    for part, numbers in (("train", range(1, 15)), ("valid", range(15, 18)), ("test", range(18, 24))):
        faces = {number: Image.open(jpegs / f"{number:06d}.jpg") for number in numbers}
        write_celeba_parquet(tmp_path / "flwrlabs" / "celeba" / HUB_CONFIG / f"{part}-00000-of-00001.parquet", faces)
    official = CelebA(size=48, **ALL)
    assert official.on_hub().load(tmp_path).digest() == official.load(tmp_path).digest()
    some = CelebA(size=48, train_images=4, held_out_images=2)
    assert some.on_hub().load(tmp_path).digest() == some.load(tmp_path).digest()


def test_pixels_and_truth_values_are_read_from_several_files(tmp_path: Path) -> None:
    write_celeba_hub(tmp_path / "copy")
    options = {"id": "flwrlabs/celeba", "folder": "copy", "size": 178, "attributes": ["Young", "5_o_Clock_Shadow"]}
    splits = load_data(DataSpec.model_validate({"source": "hub_attributes", **options}), tmp_path)
    assert tuple(splits.train.images.shape) == (24, 3, 178, 178)
    assert splits.train.names == ("Young", "5_o_Clock_Shadow")
    columns = [ATTRIBUTES.index(name) for name in splits.train.names]
    assert splits.train.concepts.tolist() == [[face_shows(n)[i] for i in columns] for n in range(24)]
    assert len(splits.held_out) == 10, "of the test part, not of the validation part"
    middle = torch.stack([torch.tensor(list(face(n).crop((0, 20, 178, 198)).tobytes())) for n in range(100, 110)])
    assert torch.equal(splits.held_out.images, middle.reshape(10, 178, 178, 3).permute(0, 3, 1, 2))


def test_without_a_data_folder_only_files_that_are_needed_are_fetched(tmp_path: Path, hub: Hub) -> None:
    celeba = CelebA(size=16, train_images=9, held_out_images=4)
    splits = celeba.load(None)
    assert (len(splits.train), len(splits.held_out)) == (9, 4)
    fetched = hub.fetched()
    assert len(fetched) == 3, "two of six rows each for nine training images, and one for the held-out ones"
    assert not [name for name in fetched if name.startswith("valid")]
    stamp = data_stamp(DataSpec.model_validate({"source": "celeba", "train_images": 9, "held_out_images": 4}), None)
    assert len(stamp) == 64
    assert hub.fetched() == fetched, "a stamp asks for the same files"
    shutil.copytree(hub.files, tmp_path / "whole" / "flwrlabs" / "celeba")
    shutil.copytree(hub.snapshot, tmp_path / "some" / "flwrlabs" / "celeba")
    for copy in ("whole", "some"):
        assert celeba.on_hub().load(tmp_path / copy).digest() == splits.digest()
    assert len(CelebA(size=16, **ALL).load(None).train) == 24
    assert len(hub.fetched()) == 5


def test_without_a_network_what_was_fetched_before_will_do(hub: Hub) -> None:
    celeba = CelebA(size=16, train_images=9, held_out_images=4)
    before = celeba.load(None).digest()
    hub.cut_off()
    assert celeba.load(None).digest() == before


def test_where_nothing_may_be_fetched_what_was_fetched_before_will_do(hub: Hub) -> None:
    celeba = CelebA(size=16, train_images=9, held_out_images=4)
    with nothing_fetched(), pytest.raises(NotFetched, match=r"flwrlabs/celeba is not on this machine.*1.4 GB"):
        celeba.load(None)
    assert not hub.repo.exists()
    before, files = celeba.load(None).digest(), hub.fetched()
    with nothing_fetched():
        assert celeba.load(None).digest() == before
        with pytest.raises(UserError, match="has 12 images, and train_images asks for 13"):
            CelebA(size=16, train_images=13, held_out_images=4).load(None)
    assert hub.fetched() == files


def test_without_a_network_the_message_names_the_other_way(hub: Hub) -> None:
    hub.cut_off()
    for ask in (CelebA().load, CelebA().roots):
        with pytest.raises(UserError, match=r"flwrlabs/celeba cannot be had .*offline mode is enabled") as caught:
            ask(None)
        for words in ("1.4 GB", "https://mmlab", "non-commercial", "DIR/celeba", "--data-dir DIR"):
            assert words in str(caught.value)


def test_without_a_network_a_file_that_is_lacking_is_an_error(hub: Hub) -> None:
    """What was fetched for fewer images does not pass for more."""
    CelebA(size=16, train_images=5, held_out_images=4).load(None)
    hub.cut_off()
    with pytest.raises(UserError, match="has 6 images, and train_images asks for 9"):
        CelebA(size=16, train_images=9, held_out_images=4).load(None)


def test_rows_that_are_not_drawn_are_not_looked_at(tmp_path: Path) -> None:
    root = write_celeba_hub(tmp_path / "flwrlabs" / "celeba")
    some = source(train_images=9, held_out_images=4)
    before = some.load(tmp_path)
    levels = before.train.images.float().mean((1, 2, 3))
    drawn = [n for n in range(24) if float((levels - 6 * n - 9.5).abs().min()) < 3]
    assert len(drawn) == 9
    for file in root.rglob("train-*.parquet"):
        numbers = range(6 * int(file.name[6:11]), 6 * int(file.name[6:11]) + 6)
        change(file, "image", {row: {"bytes": b"", "path": None} for row, n in enumerate(numbers) if n not in drawn})
    assert some.load(tmp_path).digest() == before.digest()
    with pytest.raises(UserError, match="missing or damaged"):
        source(train_images="all", held_out_images=4).load(tmp_path)


def change(file: Path, column: str, values: Mapping[int, object]) -> None:
    """Put other values into some rows of a column."""
    import pyarrow
    from pyarrow.parquet import read_table, write_table

    table = read_table(file)
    place = table.schema.get_field_index(column)
    new = [values.get(row, old) for row, old in enumerate(table[column].to_pylist())]
    write_table(table.set_column(place, table.field(place), pyarrow.array(new, table.field(place).type)), file)


def cut(file: Path) -> str:
    file.write_bytes(file.read_bytes()[:-100])
    return "missing or damaged"


def cut_inside(file: Path) -> str:
    content = file.read_bytes()
    file.write_bytes(b"PAR1" + bytes(3000) + content[3004:])
    return "damaged"


def no_part(file: Path) -> str:
    file.unlink()
    return "no parquet file of the part 'train'"


def classes(file: Path) -> str:
    labels = torch.tensor([0, 1]).numpy()
    write_parquet(file, pictures(labels, 3, 16, 0), labels, ["a", "b"])
    return "no column of truth values 'Wearing_Hat'"


def small(file: Path) -> str:
    write_celeba_parquet(file, {0: face(0)})
    return "has 1 images, and train_images asks for 2"


@pytest.mark.parametrize("damage", [cut, cut_inside, no_part, classes, small])
def test_what_cannot_be_read_is_named(tmp_path: Path, damage) -> None:
    root = tmp_path / "me" / "data"
    for part in ("train", "test"):
        write_celeba_parquet(root / f"{part}-0.parquet", {n: face(n) for n in range(2)})
    words = damage(root / "train-0.parquet")
    with pytest.raises(UserError, match=words) as caught:
        source(id="me/data", train_images=2).load(tmp_path)
    assert str(root) in str(caught.value)


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("image", {"bytes": b"not a picture", "path": None}, "is missing or damaged"),
        ("image", {"bytes": None, "path": "000004.jpg"}, "has no image"),
        ("image", None, "has no image"),
        ("Young", None, "has no value for an attribute"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(tmp_path: Path, column: str, value: object, words: str) -> None:
    root = tmp_path / "me" / "data"
    for part in ("train", "test"):
        write_celeba_parquet(root / f"{part}-0.parquet", {n: face(n) for n in range(6)})
    change(root / "train-0.parquet", column, {4: value})
    with pytest.raises(UserError) as caught:
        source(id="me/data").load(tmp_path)
    assert f"{root / 'train-0.parquet'}, row 4 {words}" in str(caught.value)


def test_an_unknown_attribute_leads_to_the_one_that_was_meant(tmp_path: Path) -> None:
    write_celeba_hub(tmp_path / "flwrlabs" / "celeba")
    with pytest.raises(UserError, match=r"truth values 'Wearing_hat'; did you mean 'Wearing_Hat'"):
        source(attributes=["Wearing_hat"]).load(tmp_path)
    with pytest.raises(UserError, match="truth values 'celeb_id'"):
        source(attributes=["celeb_id"]).load(tmp_path)


def test_an_attribute_is_named_once() -> None:
    options = {"id": "me/data", "size": 16, "attributes": ["Young", "Smiling", "Young"]}
    with pytest.raises(UserError, match=r"data\.attributes .*: 'Young' is named twice"):
        load_data(DataSpec.model_validate({"source": "hub_attributes", **options}), None)


def test_without_datasets_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vdu_bench.data.hub_files.importlib.util.find_spec", lambda _: None)
    for ask in (source().roots, source().load, CelebA().load):
        with pytest.raises(UserError, match=r"pip install 'datasets>=3'"):
            ask(None)
