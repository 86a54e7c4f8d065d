"""Methods by name, and what can be said of them without importing torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vdu_bench.errors import UserError, did_you_mean
from vdu_bench.methods.regime import FOR_REFERENCES, NEEDS, Need
from vdu_bench.methods.settings import checked_settings
from vdu_bench.records import Role
from vdu_bench.registry import Registry

if TYPE_CHECKING:
    from vdu_bench.methods.method import Method

METHODS: Registry[type[Method]] = Registry("method", "vdu_bench.methods")


@dataclass(frozen=True)
class MethodFacts:
    """What listings and plans need to know of a method."""

    name: str
    summary: str
    supports: tuple[str, ...]
    needs: tuple[Need, ...]
    role: Role


def method_facts(name: str) -> MethodFacts:
    """Read from the source where it says so in literals; from the class itself where it does not."""
    summary, said = METHODS.said(name, "supports", "needs", "role")
    return MethodFacts(name, summary, said["supports"], _checked(name, said["needs"], said["role"]), said["role"])


def _checked(name: str, needs: tuple[Need, ...], role: Role) -> tuple[Need, ...]:
    for need in needs:
        if need not in NEEDS:
            raise UserError(f"the method {name!r} names an unknown need {need!r}{did_you_mean(need, NEEDS)}")
        if need in FOR_REFERENCES and role != "reference":
            raise UserError(f"the method {name!r} needs {need!r}, which its role, {role!r}, may not have in any regime")
    return needs


def make_method(name: str, overrides: dict[str, Any]) -> Method:
    """The method with its settings. Raises UserError, naming the setting, for one that is unknown or out of range."""
    method = METHODS.get(name)
    return method(checked_settings(name, method.Settings, overrides))
