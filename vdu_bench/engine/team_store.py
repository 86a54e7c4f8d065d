"""The store as several processes see it that train one model together: only the first of them writes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vdu_bench.engine.store import Artifact, Store
from vdu_bench.errors import UserError
from vdu_bench.models.training.processes import Team

TOGETHER = ("base", "posterior", "retrain")
"""Kinds that are made by all processes; what else there is the first makes alone, and the others find."""


class TeamStore(Store):
    """A store that all processes of a team ask for the same artifacts, in the same order.

    Args:
        store: the first process's own.
        team: the processes.
    """

    def __init__(self, store: Store, team: Team) -> None:
        super().__init__(store.root, store._shipped, store._say)
        self._team = team

    def build(
        self,
        kind: str,
        spec: Mapping[str, Any],
        make: Callable[[Path], Mapping[str, Any]],
        rebuild: bool = False,
        run: str = "",
    ) -> tuple[Artifact, bool]:
        if kind not in TOGETHER:
            made = self._team.told(lambda: super(TeamStore, self).build(kind, spec, make, rebuild, run)[1])
        elif made := self._team.told(lambda: rebuild or self.find(kind, spec) is None):
            self._make_together(kind, spec, make)
        artifact = self.find(kind, spec)
        if artifact is None:
            raise UserError(f"{kind} was made by the first process and cannot be found in {self.root}: is it shared?")
        return artifact, made

    def forget_workspace(self, kind: str, spec: Mapping[str, Any]) -> None:
        if self._team.is_first:
            super().forget_workspace(kind, spec)

    def _make_together(self, kind: str, spec: Mapping[str, Any], make: Callable[[Path], Mapping[str, Any]]) -> None:
        if self._team.is_first:
            # Not through find: that all make it was agreed on.
            super().build(kind, spec, make, rebuild=True)
        else:
            with tempfile.TemporaryDirectory() as folder:
                make(Path(folder))
        # Nobody looks for it before it is there.
        self._team.told(lambda: None)
