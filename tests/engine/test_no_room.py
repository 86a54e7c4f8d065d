"""A store that takes no more, and arguments that ask for more than there is: one line, and before anything is made."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from cells import cells
from safetensors import SafetensorError

from vdu_bench.engine.cells import Cell
from vdu_bench.engine.device import resolve_device
from vdu_bench.engine.memory import check_memory
from vdu_bench.engine.progress import Progress
from vdu_bench.engine.run import write_record
from vdu_bench.engine.store import Store
from vdu_bench.engine.worker import Worker
from vdu_bench.engine.workshop import Workshop
from vdu_bench.errors import NoRoom, UserError
from vdu_bench.files import require_place
from vdu_bench.tasks.task import Task

FULL: list[Callable[[Path], Exception]] = [
    lambda folder: OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder / "x")),
    lambda _: OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)),
    lambda folder: OSError(errno.EROFS, os.strerror(errno.EROFS), str(folder / "x")),
    lambda folder: PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder / "x")),
    lambda _: SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
]


@pytest.mark.parametrize("error", FULL)
def test_a_disk_that_takes_no_more_is_said(error: Callable[[Path], Exception], tmp_path: Path) -> None:
    def make(folder: Path) -> Mapping[str, Any]:
        raise error(folder)

    with pytest.raises(NoRoom, match=f"cannot write to the store {tmp_path}: .*; name another by --store"):
        Store(tmp_path).build("base", {}, make)


def test_what_a_stage_cannot_read_is_not_called_the_store_s(tmp_path: Path) -> None:
    def make(_: Path) -> Mapping[str, Any]:
        raise PermissionError(errno.EACCES, "Permission denied", "/elsewhere/data")

    with pytest.raises(PermissionError):
        Store(tmp_path / "store").build("base", {}, make)


def test_a_store_that_is_read_only_is_said_when_one_more_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    store.build("base", {"a": 1}, lambda _: {})

    def closed(self: Any, *_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(self.lock_file))

    monkeypatch.setattr("filelock.FileLock.acquire", closed)
    assert not store.build("base", {"a": 1}, lambda _: {})[1], "what is there is read"
    with pytest.raises(NoRoom, match="cannot write to the store"):
        store.build("base", {"a": 2}, lambda _: {})


@pytest.mark.parametrize("closed", ["exists", "read_bytes", "open"])
def test_a_store_that_another_account_has_closed_is_said(
    closed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tests may run as root, to whom nothing is closed: the folder, the manifest or another file."""
    artifact, _ = Store(tmp_path).build("base", {}, lambda folder: {"n": (folder / "file").write_text("x")})

    def refuse(self: Path, *_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, closed, refuse)
    for look in (lambda: Store(tmp_path).find("base", {}), lambda: Store(tmp_path).at("base", artifact.address)):
        with pytest.raises(UserError, match=f"cannot read the store {tmp_path}: Permission denied .*; its owner can"):
            look()


def test_a_place_below_a_closed_folder_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stat, access = os.stat, os.access

    def closed(file: Any, *arguments: Any, **options: Any) -> Any:
        if "closed/" in os.fspath(file):
            raise PermissionError(errno.EACCES, "Permission denied", str(file))
        return stat(file, *arguments, **options)

    (tmp_path / "closed").mkdir()
    monkeypatch.setattr(os, "stat", closed)
    monkeypatch.setattr(os, "access", lambda file, mode: "closed" not in os.fspath(file) and access(file, mode))
    with pytest.raises(UserError, match="cannot write to --store .*: Permission denied"):
        require_place(tmp_path / "closed" / "store", "--store")


def test_no_cell_goes_on_after_it_and_an_exit_costs_one_alone(
    tiny_task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Worker("cpu", None, Store(tmp_path), Progress(quiet=True), fresh=False)
    cell = Cell(tiny_task, "original", {}, "full", 0, "cpu")

    def broken(error: BaseException) -> None:
        def make_record(*_: object) -> None:
            raise error

        monkeypatch.setattr("vdu_bench.engine.worker.make_record", make_record)

    broken(NoRoom("full"))
    with pytest.raises(NoRoom):
        worker.record(cell)
    broken(SystemExit(0))
    record = worker.record(cell)
    assert (record.status, record.reason) == ("failed", "SystemExit: 0")


def test_more_forget_images_than_there_are_is_an_error(tiny_task: Task, tmp_path: Path) -> None:
    shop = Workshop(Store(tmp_path), "cpu", Progress(quiet=True))
    shown = int(shop.splits(tiny_task).train.shows(tiny_task.forget).sum())
    shop.splits(tiny_task.model_copy(update={"forget_images": shown}))
    with pytest.raises(UserError, match=f"forget_images is {shown + 1}, and {shown} training images show"):
        shop.splits(tiny_task.model_copy(update={"forget_images": shown + 1}))


def test_a_cpu_that_is_not_there_is_named() -> None:
    assert resolve_device("cpu:0") == "cpu"
    with pytest.raises(UserError, match="there is no device 'cpu:7'"):
        resolve_device("cpu:7")


def test_more_samples_than_memory_holds_is_an_error_before_any_is_drawn(tiny_task: Task) -> None:
    check_memory(tiny_task, (3, 512, 512))
    with pytest.raises(UserError, match="GiB of memory at least, and this machine has .*--samples"):
        check_memory(tiny_task.model_copy(update={"samples": 10**12}), (1, 8, 8))


def test_results_that_cannot_be_written_are_told_by_their_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise FULL[1](tmp_path)

    monkeypatch.setattr("vdu_bench.engine.run.write_atomically", full)
    with pytest.raises(UserError, match=f"^cannot write to --out {tmp_path}: .*; free some room, or name another$"):
        write_record(cells(seeds=[0])[0], tmp_path)
