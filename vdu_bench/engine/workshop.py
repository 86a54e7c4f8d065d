"""Where stages are made: the store, the device and the data, and what one process holds of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

from vdu_bench.data.captions import Captions
from vdu_bench.data.catalog import load_data
from vdu_bench.data.counterfactuals import CounterfactualPairs
from vdu_bench.data.splits import DataSplits
from vdu_bench.engine.progress import Progress
from vdu_bench.engine.stage import Stage
from vdu_bench.engine.store import Artifact, Store
from vdu_bench.errors import UserError
from vdu_bench.metrics.memo import Memo
from vdu_bench.models.training.processes import ALONE, Team
from vdu_bench.tasks.prompts import PromptSpec
from vdu_bench.tasks.task import Task

T = TypeVar("T")

MEMOS = 64
"""So many are kept, which are small: the originals of so many seeds are known when the next method comes."""


class Workshop:
    """Finds or makes stages, each once in a process: files are not checksummed again for every cell.

    Args:
        store: where stages are looked for and kept.
        device: where models run.
        progress: bars and lines.
        data_dir: where data sets from outside the package lie.
        again: kinds that are made once more, even what is there.
        team: the processes that train models together.
        run: what the run is called among the processes that share it: a kind that is made again is made by one of them.
    """

    def __init__(
        self,
        store: Store,
        device: str,
        progress: Progress,
        data_dir: Path | None = None,
        again: Collection[str] = (),
        team: Team = ALONE,
        run: str = "",
    ) -> None:
        self.store, self.device, self.progress, self.team = store, device, progress, team
        self._data_dir, self._again, self._run = data_dir, again, run
        self._artifacts: dict[str, Artifact] = {}
        self._splits: dict[str, DataSplits] = {}
        self._digests: dict[str, str] = {}
        self._memos: dict[str, Memo] = {}
        self._held: dict[str, tuple[str, Any]] = {}

    @property
    def device_kind(self) -> str:
        """``cpu`` or ``cuda``: what a stage's address tells of the device, since cards of one machine share stages."""
        return self.device.partition(":")[0]

    def get(self, stage: Stage, again: bool = False) -> Artifact:
        """The artifact of a stage, found or made; made in any case, once, where it is wanted `again`."""
        key = stage.address
        if key not in self._artifacts:
            again = again or stage.kind in self._again
            artifact, made = self.store.build(stage.kind, stage.full_spec, _noting(stage), again, self._run)
            self._artifacts[key] = artifact
            if stage.label:
                self.progress.say(f"{stage.label}: {'made' if made else 'reused'}")
            if stage.lasting and stage.code and artifact.facts.get("code", stage.code) != stage.code:
                self.progress.say(
                    f"{stage.label}: other code made it than there is now; prepare --rebuild makes it again"
                )
        return self._artifacts[key]

    def known(self, stage: Stage) -> bool:
        """Whether this process has asked for a stage before."""
        return stage.address in self._artifacts

    def held(self, kind: str, key: str, load: Callable[[], T]) -> T:
        """What was loaded last of a kind, if it was loaded under the same `key`: the next cell mostly wants it too."""
        if self._held.get(kind, ("", None))[0] != key:
            self._held.pop(kind, None)  # before the next one is loaded, which may be large
            self._held[kind] = key, load()
        found: T = self._held[kind][1]
        return found

    def memo(self, key: str) -> Memo:
        """What was worked out of some images, for the cells that come next; of the last `MEMOS` that were asked for."""
        memo = self._memos.pop(key, None) or Memo()
        self._memos[key] = memo
        if len(self._memos) > MEMOS:
            del self._memos[next(iter(self._memos))]
        return memo

    def splits(self, task: Task) -> DataSplits:
        """The task's images.

        Raises UserError as `load_data`, and for a concept that the data do not have.
        """
        key = task.data.model_dump_json()
        if key not in self._splits:
            self._splits[key] = load_data(task.data, self._data_dir)
        splits = self._splits[key]
        if task.forget not in splits.train.names:
            hint = splits.instead_of(task.forget)
            raise UserError(f"{task.name}: {task.data.source} has no {task.forget!r} to forget{hint}")
        shown = int(splits.train.shows(task.forget).sum())
        if task.forget_images != "all" and task.forget_images > shown:
            raise UserError(
                f"{task.name}: forget_images is {task.forget_images}, and {shown} training images show "
                f"{task.forget!r}; give a smaller number, or all"
            )
        if task.prompts is not None:
            _check_prompts(task, task.prompts, splits)
        return splits

    def data_digest(self, task: Task) -> str:
        """The digest of the task's images, taken once: it reads them all."""
        return self._digest_once(task.data.model_dump_json(), lambda: self.splits(task).digest())

    def pairs(self, task: Task) -> CounterfactualPairs | None:
        """The data's counterfactual pairs of what is to be forgotten."""
        return self.splits(task).pairs.get(task.forget)

    def pairs_digest(self, task: Task, pairs: CounterfactualPairs) -> str:
        """Their digest, taken once."""
        return self._digest_once(f"{task.data.model_dump_json()}/{task.forget}", pairs.digest)

    def _digest_once(self, key: str, take: Callable[[], str]) -> str:
        if key not in self._digests:
            self._digests[key] = take()
        return self._digests[key]


def _noting(stage: Stage) -> Callable[[Path], Mapping[str, Any]]:
    """What makes it; the code's digest goes among the facts of a stage whose address does not have it."""
    if not (stage.lasting and stage.code):
        return stage.make
    return lambda folder: {**stage.make(folder), "code": stage.code}


def _check_prompts(task: Task, prompts: PromptSpec, splits: DataSplits) -> None:
    """Raise UserError for a concept in them that the data do not have."""
    Captions(prompts.captions, splits.train.names)
    for prompt, features in prompts.retain.items():
        for name in features:
            if name not in splits.train.names:
                hint = splits.instead_of(name)
                raise UserError(f"{task.name}: {prompt!r} asks for {name!r}, which the data do not have{hint}")
