"""Settings of methods and probes, from what a user says. Without torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from pydantic import ValidationError, model_validator

from vdu_bench.errors import UserError, did_you_mean
from vdu_bench.nested import merged
from vdu_bench.spec import WHOLE, Spec
from vdu_bench.wrong_values import in_words

AnySettings = TypeVar("AnySettings", bound=Spec)


class WithPresets(Spec):
    """Settings that also come under a name: a preset's values hold wherever the user says nothing else.

    A subclass has a field ``preset`` with the names, ``ours`` by default, and their sources in its description.
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """By name, what it sets; ``ours``, which sets nothing, is left out."""

    @model_validator(mode="before")
    @classmethod
    def _filled_in(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        return {**cls.presets.get(str(values.get("preset")), {}), **values}


def beside(given: Mapping[str, Any], own: Mapping[str, Any]) -> Mapping[str, Any]:
    """A task's settings of a method, beside a command's own: none, where the command names a preset.

    A preset that is mixed with what was tuned for a task would be neither.
    """
    return {} if "preset" in own else given


def is_published(own: Mapping[str, Any]) -> bool:
    """Whether these settings are a published preset and nothing else."""
    return set(own) == {"preset"} and str(own["preset"]).startswith("published")


class Configured:
    """Something with settings: given as a whole, or, as keywords, those that differ from the defaults.

    Raises:
        UserError: a setting is unknown or out of range.
    """

    class Settings(Spec):
        """What can be set, with ranges and a description each; an unknown setting is an error."""

    def __init_subclass__(cls, **more: Any) -> None:
        """Raises TypeError for settings that derive from none of the suite's: a misspelt one would pass."""
        super().__init_subclass__(**more)
        if not (isinstance(cls.Settings, type) and issubclass(cls.Settings, Spec)):
            raise TypeError(f"{cls.__name__}.Settings derives from none of the suite's, such as vdu_bench.spec.Spec")

    def __init__(self, settings: Spec | None = None, /, **values: Any) -> None:
        if settings is not None and values:
            raise TypeError(f"{type(self).__name__} is given its settings twice: as a whole, and {', '.join(values)}")
        self.settings = settings or checked_settings(type(self).__name__, self.Settings, values)


def check_words(cls: type, attribute: str, words: Sequence[str]) -> None:
    """Raise TypeError where a class attribute is not several of some words; a tuple of one is easily a text."""
    value, known = getattr(cls, attribute), ", ".join(map(repr, words))
    if not isinstance(value, list | tuple):
        raise TypeError(f"{cls.__name__}.{attribute} is {value!r}: it is a tuple of some of {known}")
    for word in value:
        if word not in words:
            raise TypeError(f"{cls.__name__}.{attribute} is {value!r}: {word!r} in it is none of {known}")


def checked_settings(method: str, settings: type[AnySettings], values: Mapping[str, Any]) -> AnySettings:
    """The settings with some of them changed; of one that has several values in it, those that are named.

    Raises UserError, naming the method and the setting, for one that is unknown or out of range.
    """
    try:
        return settings.model_validate(_whole(settings, values))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        if first["type"] == "extra_forbidden":
            hint = did_you_mean(key, settings.model_fields) or "; it has none"
            raise UserError(f"{method} has no setting {key!r}{hint}") from error
        raise UserError(f"{method}.{key}={first['input']!r}: {in_words(first, 'it')}") from error


def _whole(settings: type[Spec], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values, with the rest of a nested setting as it is by default."""
    found = dict(values)
    for name, value in values.items():
        field = settings.model_fields.get(name)
        if field is None or not isinstance(value, Mapping):
            continue
        default = field.get_default(call_default_factory=True)
        if isinstance(default, Spec):
            default = default.model_dump(context=WHOLE)
        if isinstance(default, Mapping):
            found[name] = merged(default, value)
    return found
