"""Probes by name, without importing them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vdu_bench.errors import UserError, warn
from vdu_bench.models.specs import ModelKind
from vdu_bench.own_classes import check_defaults, check_made_with_settings
from vdu_bench.probes.needs import ProbeNeed
from vdu_bench.registry import Registry, of_none
from vdu_bench.tasks.task import Task

if TYPE_CHECKING:
    from vdu_bench.probes.probe import Probe


def _ask(kind: Any) -> None:
    check_made_with_settings(kind)
    check_defaults(getattr(kind, "Settings", None), f"{kind.__name__}.Settings")


PROBES: Registry[type[Probe]] = Registry("probe", "vdu_bench.probes", _ask)


@dataclass(frozen=True)
class ProbeFacts:
    """What listings and plans need to know of a probe."""

    summary: str
    supports: tuple[ModelKind, ...]
    needs: tuple[ProbeNeed, ...]
    attack: bool


def probe_facts(name: str) -> ProbeFacts:
    """Read from the source where it says so in literals; from the class itself where it does not."""
    summary, said = PROBES.said(name, "supports", "needs", "attack")
    return ProbeFacts(summary, **said)


def is_attack(name: str) -> bool:
    """Whether a probe is an attack; False for one that is not known. Raises UserError as `probe_facts`."""
    return name in PROBES.entries() and probe_facts(name).attack


def attacks_for(kind: ModelKind) -> list[str]:
    """The attacks that a kind of model can be put under."""
    return [name for name, facts in PROBES.each(probe_facts).items() if facts.attack and kind in facts.supports]


def check_attack(name: str, kind: ModelKind, task: str) -> None:
    """Raise UserError for what is no attack, or none that a task's models can be put under."""
    known = attacks_for(kind)
    if name in known:
        return
    if name not in PROBES.entries():
        raise UserError(f"unknown attack {name!r}{of_none(name, known)}")
    if not is_attack(name):
        raise UserError(f"{name} is no attack, and is there without being asked for; attacks are {', '.join(known)}")
    raise UserError(f"{task} cannot be put under {name}: it does not take {kind.replace('_', '-')} models")


def check_probe_settings(task: Task) -> None:
    """Raise UserError for settings of no probe, and warn of those that a command gives a probe which is not run.

    These are no mistake where other runs of the same variant have it run: they are a part of its name.
    """
    for name in task.probe_settings:
        if name not in PROBES.entries():
            raise UserError(f"task.probe_settings.{name}: unknown probe {name!r}{of_none(name, PROBES.entries())}")
    for name in dict.fromkeys(change.split(".")[1] for change in task.changes if change.startswith("probe_settings.")):
        if name not in task.probe_settings or name in task.attacks:
            continue
        decide = f"task.probe_settings.{name} decide nothing here, but are a part of the table's name"
        if is_attack(name):
            warn(f"{decide}: no model is put under {name} without --attacks {name}")
        elif not task.looked_at_by(name):
            warn(f"{decide}: {task.name} leaves {name} out of its `probes`")
