"""How a task names its data, and how a change of their content is seen without reading it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from miniatures import write_celeba, write_cifar10, write_mnist, write_tiny_imagenet

from vdu_bench.data.catalog import SOURCES, data_stamp, load_data
from vdu_bench.data.image_set import ImageSet
from vdu_bench.data.specs import DataSpec
from vdu_bench.data.splits import DataSplits
from vdu_bench.errors import UserError


def test_a_name_alone_is_a_source_without_options() -> None:
    assert DataSpec.model_validate("sklearn_digits") == DataSpec(source="sklearn_digits")
    assert DataSpec.model_validate({"source": "mnist", "pad_to": 28}).options == {"pad_to": 28}


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"source": "mnits"}, "unknown data source 'mnits'; did you mean 'mnist'"),
        ({"source": "mnist", "pad": 3}, "'mnist' has no option 'pad'; did you mean 'pad_to'"),
        ({"source": "mnist", "pad_to": -1}, "data.pad_to of the data source 'mnist'"),
        ({"source": "sklearn_digits", "pad_to": 8}, "'sklearn_digits' has no options, and 'pad_to' is given"),
    ],
)
def test_mistakes_are_named_at_once(spec: dict, words: str, tmp_path: Path) -> None:
    for ask in (load_data, data_stamp):
        with pytest.raises(UserError) as caught:
            ask(DataSpec.model_validate(spec), tmp_path)
        assert words in str(caught.value)


def test_what_comes_with_the_package_has_no_stamp_and_is_not_imported(tmp_path: Path) -> None:
    assert data_stamp(DataSpec(source="sklearn_digits"), tmp_path) == ""
    write_mnist(tmp_path / "mnist")
    write_cifar10(tmp_path / "cifar-10-batches-bin")
    write_tiny_imagenet(tmp_path / "tiny-imagenet-200")
    write_celeba(tmp_path / "celeba")
    code = f"""
import sys
from pathlib import Path
from vdu_bench.data.catalog import data_stamp
from vdu_bench.data.specs import DataSpec
for name in ("sklearn_digits", "mnist", "cifar10", "tiny_imagenet"):
    data_stamp(DataSpec(source=name), Path({str(tmp_path)!r}))
data_stamp(DataSpec(source="celeba", train_images=3, held_out_images="all"), Path({str(tmp_path)!r}))
print([name for name in ("torch", "PIL", "datasets", "sklearn") if name in sys.modules])
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_stamp_changes_with_place_size_and_time(tmp_path: Path) -> None:
    spec = DataSpec(source="mnist")
    folder = write_mnist(tmp_path / "a" / "mnist")
    write_mnist(tmp_path / "b" / "mnist")
    first = data_stamp(spec, tmp_path / "a")
    assert first == data_stamp(spec, tmp_path / "a")
    assert first != data_stamp(spec, tmp_path / "b")
    (folder / "notes.txt").write_text("not one of the four")
    assert first == data_stamp(spec, tmp_path / "a")
    file = folder / "t10k-labels-idx1-ubyte"
    facts = file.stat()
    content = bytearray(file.read_bytes())
    content[-1] = 0
    file.write_bytes(content)
    os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1))
    assert first != data_stamp(spec, tmp_path / "a")


def test_a_stamp_sees_every_picture_of_a_folder(tmp_path: Path) -> None:
    spec = DataSpec(source="tiny_imagenet")
    folder = write_tiny_imagenet(tmp_path / "tiny-imagenet-200")
    before = data_stamp(spec, tmp_path)
    os.utime(folder / "val" / "images" / "val_3.JPEG", (0, 0))
    assert data_stamp(spec, tmp_path) != before


def test_a_link_to_the_same_files_is_the_same_place(tmp_path: Path) -> None:
    write_mnist(tmp_path / "real" / "mnist")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    spec = DataSpec(source="mnist")
    assert data_stamp(spec, tmp_path / "link") == data_stamp(spec, tmp_path / "real")


def test_a_missing_data_set_has_no_stamp(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="MNIST: get"):
        data_stamp(DataSpec(source="mnist"), tmp_path / "nowhere")


def test_a_source_of_one_s_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `docs/extending.md` shows it: a function, or a class for data from outside."""
    (tmp_path / "my_sources.py").write_text(
        "from vdu_bench.data.sources.digits import load_digits\n"
        "from vdu_bench.data.source import DataSource\n"
        "def load():\n"
        "    return load_digits()\n"
        "class FromDisk(DataSource):\n"
        "    name: str\n"
        "    def roots(self, data_dir):\n"
        "        return [data_dir / self.name]\n"
        "    def load(self, data_dir):\n"
        "        return load_digits()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(SOURCES, "_entries", dict(SOURCES.entries()))
    SOURCES.add("mine", "my_sources:load")
    SOURCES.add("mine_on_disk", "my_sources:FromDisk")
    (tmp_path / "file").write_text("a")
    spec = DataSpec.model_validate({"source": "mine_on_disk", "name": "file"})
    assert data_stamp(DataSpec(source="mine"), None) == ""
    assert len(data_stamp(spec, tmp_path)) == 64
    assert len(load_data(DataSpec(source="mine"), None).train) == len(load_data(spec, tmp_path).train) == 1297


def _splits(*shapes: tuple[int, ...]) -> DataSplits:
    sets = [
        ImageSet.of_classes(torch.zeros(shape, dtype=torch.uint8), torch.zeros(shape[0]), ("a", "b"))
        for shape in shapes
    ]
    return DataSplits(*sets)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (lambda: None, "gave a NoneType, and no DataSplits"),
        (lambda: (1, 2), "gave a tuple, and no DataSplits"),
        (lambda path: path, "missing a required argument: 'path'"),
        (
            lambda: _splits((4, 1, 8, 8), (2, 1, 16, 16)),
            r"must have images of one size, not \[1, 8, 8\] and \[1, 16, 16\]",
        ),
        (lambda: _splits((4, 1, 8, 8), (0, 1, 8, 8)), "has no images in its part 'held_out'"),
        (lambda: ImageSet(torch.zeros(1), torch.zeros(1), ()), "images must be uint8"),
    ],
)
def test_a_source_that_gives_no_data_is_told_so(source: Any, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SOURCES._loaded, "theirs", source)
    with pytest.raises(UserError, match=f"the data source 'theirs'.*{words}"):
        load_data(DataSpec(source="theirs"), None)
