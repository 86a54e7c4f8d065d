"""Methods by name, and what can be said of them without importing torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vdu_bench.errors import UserError, did_you_mean
from vdu_bench.methods.regime import FOR_REFERENCES, NEEDS, Need
from vdu_bench.methods.settings import checked_settings
from vdu_bench.own_classes import check_defaults, check_made_with_settings
from vdu_bench.records import Role
from vdu_bench.registry import Registry

if TYPE_CHECKING:
    from vdu_bench.methods.method import Method


def _ask(kind: Any) -> None:
    if not isinstance(kind, type):
        raise UserError(f"it is a {type(kind).__name__}, and no class")
    check_made_with_settings(kind)
    _check_needs(getattr(kind, "needs", ()))
    check_defaults(getattr(kind, "Settings", None), f"{kind.__name__}.Settings")


METHODS: Registry[type[Method]] = Registry("method", "vdu_bench.methods", _ask)


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
    try:
        _check_needs(needs)
    except UserError as error:
        raise UserError(f"the method {name!r}: {error}") from error
    for need in needs:
        if need in FOR_REFERENCES and role != "reference":
            raise UserError(f"the method {name!r} needs {need!r}, which its role, {role!r}, may not have in any regime")
    return needs


def _check_needs(needs: Any) -> None:
    """Raise UserError for what is not several needs; a tuple of one is easily a text."""
    if not isinstance(needs, list | tuple):
        one = f", such as ({needs!r},)" if needs in NEEDS else ""
        raise UserError(f"its needs are {needs!r}, and not a tuple{one}{'' if one else f' of some of {_known()}'}")
    for need in needs:
        if need not in NEEDS:
            raise UserError(f"it names an unknown need {need!r}{did_you_mean(str(need), NEEDS)}")


def _known() -> str:
    return ", ".join(map(repr, NEEDS))


def make_method(name: str, overrides: dict[str, Any]) -> Method:
    """The method with its settings; one that changes its base breaks off with an error.

    Raises UserError, naming the setting, for one that is unknown or out of range, and for a method that drops them.
    """
    method = METHODS.get(name)
    made = method(checked_settings(name, method.Settings, overrides))
    if not hasattr(made, "settings"):
        raise UserError(
            f"the method {name!r}: {method.__name__}.__init__ drops its settings: let it call "
            "super().__init__(settings, **values)"
        )
    # Imported here: the method has brought torch by now, and nothing else of this module needs it.
    from vdu_bench.methods.unchanged_base import guard

    return guard(made, name)
