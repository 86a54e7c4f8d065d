"""A method's settings from what a user says. Without torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from vdu_bench.errors import UserError, did_you_mean
from vdu_bench.spec import Spec

Settings = TypeVar("Settings", bound=Spec)


def checked_settings(method: str, settings: type[Settings], values: Mapping[str, Any]) -> Settings:
    """The settings with some of them changed.

    Raises UserError, naming the method and the setting, for one that is unknown or out of range.
    """
    try:
        return settings.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        if first["type"] == "extra_forbidden":
            hint = did_you_mean(key, settings.model_fields) or "; it has none"
            raise UserError(f"{method} has no setting {key!r}{hint}") from error
        raise UserError(f"{method}.{key}={first['input']!r}: {first['msg']}") from error
