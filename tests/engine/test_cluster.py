"""Cells on a Dask cluster, and on several processes of this machine: the same records, lines and errors."""

from __future__ import annotations

import dataclasses
import errno
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from comparing import comparable
from distributed import Client, LocalCluster
from distributed.security import Security

from vdu_bench.engine.cells import Cell, expand
from vdu_bench.engine.cluster import DaskExecutor, JobsExecutor, local_cluster
from vdu_bench.engine.executors import LocalExecutor
from vdu_bench.engine.progress import Progress
from vdu_bench.engine.run import run_cells
from vdu_bench.engine.store import Store
from vdu_bench.errors import UserError
from vdu_bench.packed import PACKED, pack
from vdu_bench.records import Record, read_records
from vdu_bench.tasks.loading import with_overrides
from vdu_bench.tasks.task import Task

METHODS = ("original", "retrain", "real", "vdu", "esd")


def cells_of(task: Task) -> list[Cell]:
    return expand([task], METHODS, (0,), "full", {}, "cpu")[0]


@pytest.fixture(scope="module")
def alone(tiny_task: Task, tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    """The records of one process, in the order of `METHODS`."""
    root, progress = tmp_path_factory.mktemp("alone"), Progress(quiet=True)
    store = Store(root / "store")
    return run_cells(cells_of(tiny_task), store, root / "out", progress, LocalExecutor(store, progress)).records


def test_a_dask_cluster_gives_the_same_records(alone: list[Record], tiny_task: Task, tmp_path: Path) -> None:
    store, progress = Store(tmp_path / "store"), Progress(quiet=True)
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        executor = DaskExecutor(cluster.scheduler_address, store, progress)
        outcome = run_cells(cells_of(tiny_task), store, tmp_path / "out", progress, executor)
    assert [*map(comparable, outcome.records)] == [*map(comparable, alone)]
    assert len(read_records(tmp_path / "out")) == len(METHODS)


def test_workers_that_stay_hold_nothing_of_the_run_before(tmp_path: Path) -> None:
    from vdu_bench.engine.cluster import _worker_there

    plugin = tmp_path / "staying_worker.py"
    plugin.write_text("from vdu_bench.data.splits import DataSplits\n\n\ndef load_stay() -> DataSplits: ...\n")
    place = ("cpu", None, tmp_path / "store", True, (plugin,))
    one = _worker_there(*place, "one run")
    assert _worker_there(*place, "one run") is one
    assert _worker_there(*place, "the next") is not one


def test_fresh_cells_make_what_they_share_once(tiny_task: Task, tmp_path: Path) -> None:
    progress = Progress(quiet=True)
    store = Store(tmp_path / "store")
    for out in ("first", "again"):
        executor = JobsExecutor(2, store, progress, fresh=True)
        run_cells(cells_of(tiny_task), store, tmp_path / out, progress, executor, fresh=True)
    manifests = [json.loads(file.read_text()) for file in (tmp_path / "store" / "images").glob("*/manifest.json")]
    assert len(manifests) > 3
    assert len({manifest["run"] for manifest in manifests}) == 1, "all are of the second run"
    assert [*map(comparable, read_records(tmp_path / "first"))] == [*map(comparable, read_records(tmp_path / "again"))]


def test_workers_end_where_a_record_cannot_be_written(tiny_task: Task, tmp_path: Path) -> None:
    """`check` starts them, and what comes before `run` may be refused."""
    progress = Progress(quiet=True)
    store = Store(tmp_path / "store")
    run_cells(cells_of(tiny_task)[:1], store, tmp_path / "out", progress, LocalExecutor(store, progress))
    executor = JobsExecutor(2, store, progress)

    def refused(record: Record) -> None:
        raise UserError(f"{record.cell_name} does not belong here")

    with pytest.raises(UserError, match="does not belong here"):
        run_cells(cells_of(tiny_task), store, tmp_path / "out", progress, executor, admit=refused)
    assert not multiprocessing.active_children()


def test_workers_that_would_take_several_cells_at_once_are_refused(tiny_task: Task, tmp_path: Path) -> None:
    store, progress = Store(tmp_path / "store"), Progress(quiet=True)
    with LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None) as cluster:
        executor = DaskExecutor(cluster.scheduler_address, store, progress)
        with pytest.raises(UserError, match="has 2 threads.*start workers with --nthreads 1"):
            run_cells(cells_of(tiny_task), store, tmp_path / "out", progress, executor)


def test_no_scheduler_is_the_user_s_mistake(tiny_task: Task, tmp_path: Path) -> None:
    store, progress = Store(tmp_path / "store"), Progress(quiet=True)
    executor = DaskExecutor("tcp://127.0.0.1:9", store, progress)
    with pytest.raises(UserError, match="no Dask scheduler answers at"):
        run_cells(cells_of(tiny_task), store, tmp_path / "out", progress, executor)
    assert not (tmp_path / "out").exists()


def test_processes_that_do_not_start_are_the_machine_s_fault(
    tiny_task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container whose /dev/shm is read-only."""

    def closed(*_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("_multiprocessing.SemLock", closed)
    store, progress = Store(tmp_path / "store"), Progress(quiet=True)
    with pytest.raises(UserError, match=r"the 2 worker processes do not start \(OSError: .*Read-only .*without --jobs"):
        run_cells(cells_of(tiny_task), store, tmp_path / "out", progress, JobsExecutor(2, store, progress))


def test_jobs_on_this_machine_give_the_same_records_lines_and_errors(
    alone: list[Record], tiny_task: Task, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    progress = Progress()
    store = Store(tmp_path / "store", say=progress.say)
    wrong = [dataclasses.replace(cell, overrides={"gamma": 7}) for cell in cells_of(tiny_task) if cell.method == "vdu"]
    with pytest.raises(UserError, match=r"vdu.gamma=7: it should be less than or equal to 1"):
        run_cells(wrong, store, tmp_path / "out", progress, JobsExecutor(2, store, progress))
    assert not (tmp_path / "out").exists()
    outcome = run_cells(cells_of(tiny_task), store, tmp_path / "out", progress, JobsExecutor(2, store, progress))
    assert [*map(comparable, outcome.records)] == [*map(comparable, alone)]
    said = capsys.readouterr().err
    # The workers' own lines come once, and among them this process's.
    assert said.count("tiny: base model: made") == 1
    assert f"[{len(METHODS)}/{len(METHODS)}] tiny/" in said


def test_families_are_prepared_at_the_same_time(tiny_task: Task, tmp_path: Path) -> None:
    """All are handed out before one is waited for."""
    events: list[str] = []

    class Future:
        def result(self) -> None:
            events.append("waited")

    class Client:
        def submit(self, work: Any, *given: Any, **_: Any) -> Future:
            if work.__name__ != "_prepare_there":
                raise KeyboardInterrupt
            events.append(given[0][0].task.family)
            return Future()

    executor = JobsExecutor(2, Store(tmp_path), Progress(quiet=True))
    executor._client = Client()  # type: ignore[assignment]
    other = with_overrides(tiny_task, {"name": "other", "family": "other"})
    with pytest.raises(KeyboardInterrupt):
        list(executor.run(expand([tiny_task, other], ["original"], (0,), "full", {}, "cpu")[0]))
    assert events == ["tiny", "other", "waited", "waited"]


def test_families_on_several_processes_make_their_models_once(
    tiny_task: Task, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = {"training": {**tiny_task.recipe.training.model_dump(), "seed": 5}}
    other = with_overrides(tiny_task, {"name": "other", "family": "other", "model": changed})
    progress = Progress()
    store = Store(tmp_path / "store", say=progress.say)
    cells = expand([tiny_task, other], ["original"], (0,), "full", {}, "cpu")[0]
    outcome = run_cells(cells, store, tmp_path / "out", progress, JobsExecutor(2, store, progress))
    assert [record.status for record in outcome.records] == ["ok"] * len(cells)
    said = capsys.readouterr().err
    assert said.count("tiny: base model: made") == said.count("other: base model: made") == 1


def test_ctrl_c_ends_the_workers_without_a_traceback(tiny_file: Path, tmp_path: Path) -> None:
    places = ["--store", str(tmp_path / "store"), "--out", str(tmp_path / "out")]
    # What was started in the background ignores interrupts, and so would the command.
    start = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from vdu_bench.cli.main import main; main()"
    )
    command = [sys.executable, "-c", start, "run", "--task", str(tiny_file), "--methods", "vdu", "--jobs", "2"]
    # A group of its own, as a terminal's Ctrl-C reaches all processes of a command.
    with subprocess.Popen([*command, *places], stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stderr is not None
        said = ""
        while "Dask workers" not in said:
            said += process.stderr.readline()
        os.killpg(process.pid, signal.SIGINT)
        said += process.stderr.read()
    assert process.returncode == 130
    assert "stopped; the same command goes on from here" in said
    assert "Traceback" not in said


def test_only_the_run_itself_reaches_the_processes_of_jobs() -> None:
    """Whoever may send a scheduler work runs code as the user; every user of a machine reaches its ports."""
    with local_cluster(1, Progress(quiet=True)) as client:
        place = urlsplit(client.scheduler.address)  # type: ignore[union-attr]
        strangers = [("tcp", Security()), ("tls", Security.temporary())]
        for scheme, security in strangers:
            with pytest.raises(OSError):  # noqa: PT011 (whatever the handshake ends with)
                Client(f"{scheme}://{place.netloc}", security=security, timeout=3)
        ours = [psutil.Process(), *psutil.Process().children(recursive=True)]
        ports = [
            one.laddr.port for each in ours for one in each.net_connections("inet") if one.status == psutil.CONN_LISTEN
        ]
        assert place.port in ports
        for port in ports:
            # What speaks plain HTTP would answer.
            with socket.create_connection(("127.0.0.1", port), timeout=10) as plain, suppress(ConnectionError):
                plain.sendall(b"GET /health HTTP/1.0\r\n\r\n")
                assert not plain.recv(5).startswith(b"HTTP")
        assert client.submit(os.getpid).result() != os.getpid()


def test_nothing_is_written_beside_packed_records(tiny_task: Task, tmp_path: Path) -> None:
    store, progress = Store(tmp_path / "store"), Progress(quiet=True)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / PACKED).write_bytes(pack([]))
    with pytest.raises(UserError, match=rf"{PACKED} holds all records of .*: name another --out"):
        run_cells(cells_of(tiny_task), store, tmp_path / "out", progress, LocalExecutor(store, progress))
    assert not (tmp_path / "out" / "records").exists()
