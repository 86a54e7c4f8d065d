"""Probes by name, without importing them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdu_bench.errors import UserError, did_you_mean
from vdu_bench.models.specs import ModelKind
from vdu_bench.registry import Registry

if TYPE_CHECKING:
    from vdu_bench.probes.probe import Probe

PROBES: Registry[type[Probe]] = Registry("probe", "vdu_bench.probes")


def attacks_for(kind: ModelKind) -> list[str]:
    """The attacks that a kind of model can be put under, read without importing them."""
    literals = PROBES.each(lambda name: PROBES.entry(name).static_class().literals)
    return [name for name, said in literals.items() if said.get("attack") and kind in said.get("supports", (kind,))]


def check_attack(name: str, kind: ModelKind, task: str) -> None:
    """Raise UserError for what is no attack, or none that a task's models can be put under."""
    known = attacks_for(kind)
    if name in known:
        return
    if name not in PROBES.entries():
        raise UserError(f"unknown attack {name!r}{did_you_mean(name, known)}")
    if not PROBES.entry(name).static_class().literals.get("attack"):
        raise UserError(f"{name} is no attack, and is there without being asked for; attacks are {', '.join(known)}")
    raise UserError(f"{task} cannot be put under {name}: it does not take {kind.replace('_', '-')} models")
