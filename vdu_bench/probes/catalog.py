"""Probes by name, without importing them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdu_bench.registry import Registry

if TYPE_CHECKING:
    from vdu_bench.probes.probe import Probe

PROBES: Registry[type[Probe]] = Registry("probe", "vdu_bench.probes")
