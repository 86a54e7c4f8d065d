"""A stage: what is made once, and found again by the address of all that decides it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vdu_bench.engine.store import Artifact, address

LASTING = ("base", "posterior", "retrain", "judge", "second_judge", "clip")
"""Kinds that ship, or took hours: no edit of the code moves their address, and what code made one is in its facts."""


@dataclass(frozen=True)
class Stage:
    """One artifact that is to be found or made.

    Attributes:
        kind: the folder in the store that it lies in.
        spec: what decides it beside its inputs, as plain data.
        make: fills the folder it is given, and returns the facts (plain data) for the manifest.
        inputs: the artifacts that it is made of, by the names under which their digests go into the address.
        code: the digest of the code that makes it; a part of the address, but for `LASTING` kinds.
        label: what a line of progress calls it; nothing is said of one without.
    """

    kind: str
    spec: Mapping[str, Any]
    make: Callable[[Path], Mapping[str, Any]]
    inputs: Mapping[str, Artifact] = field(default_factory=dict)
    code: str = ""
    label: str = ""

    @property
    def lasting(self) -> bool:
        """Whether it outlives the code that made it."""
        return self.kind in LASTING

    @property
    def full_spec(self) -> dict[str, Any]:
        """All that decides it: what the store keeps in the manifest."""
        own = {} if self.lasting else {"code": self.code}
        return {**self.spec, **{name: artifact.digest for name, artifact in self.inputs.items()}, **own}

    @property
    def address(self) -> str:
        """Where it is looked for."""
        return address(self.kind, self.full_spec)
