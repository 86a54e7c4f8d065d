"""What is asked of somebody's own class before it is used: that it can be made, and that its defaults are settings."""

from __future__ import annotations

import inspect
from typing import Any

from pydantic import ValidationError

from vdu_bench.errors import UserError
from vdu_bench.spec import Spec
from vdu_bench.wrong_values import in_words


def check_made_with_settings(kind: Any) -> None:
    """Raise UserError for a class whose ``__init__`` does not take its settings, as a whole and without a name."""
    if not _takes(kind, object()):
        raise UserError(
            f"{kind.__name__}.__init__ does not take its settings: write def __init__(self, settings=None, /, "
            "**values), which calls super().__init__(settings, **values), or leave it out"
        )


def check_made_alone(kind: Any) -> None:
    """Raise UserError for a class whose ``__init__`` asks for something."""
    if not _takes(kind):
        raise UserError(f"{kind.__name__}.__init__ asks for {_asked(kind)}, and it is made without: give defaults")


def _takes(kind: Any, *given: object) -> bool:
    try:
        inspect.signature(kind).bind(*given)
    except TypeError:
        return False
    except ValueError:  # written in C, which does not tell
        return True
    return True


def _asked(kind: Any) -> str:
    parameters = inspect.signature(kind).parameters.values()
    lacking = [one.name for one in parameters if one.default is one.empty and one.kind not in _SEVERAL]
    return ", ".join(lacking)


_SEVERAL = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def check_defaults(settings: Any, called: str) -> None:
    """Raise UserError for a default that could not be given: of another type, out of range, or read as another value.

    pydantic itself looks at what is given alone. Defaults stay as they are written: digests are made of them.

    Args:
        settings: the class; what is no `Spec` is left alone.
        called: what messages call it, such as ``MyMethod.Settings``.
    """
    if not (isinstance(settings, type) and issubclass(settings, Spec)):
        return
    defaults = {name: field.default for name, field in settings.model_fields.items() if _is_plain(field)}
    for name, value in defaults.items():
        if isinstance(value, Spec):
            check_defaults(type(value), f"{called}.{name}")
    try:
        read = settings.model_validate(defaults)
    except ValidationError as error:
        # What has no default has to be given, and is no mistake.
        mistakes = [one for one in error.errors() if one["type"] != "missing"]
        if not mistakes:
            return
        key = ".".join([called, *map(str, mistakes[0]["loc"])])
        raise UserError(f"{key}: its default cannot be given: {in_words(mistakes[0])}") from error
    for name, value in defaults.items():
        if (found := getattr(read, name)) != value:
            raise UserError(f"{called}.{name}: its default, {value!r}, is read as {found!r}: write that")


def _is_plain(field: Any) -> bool:
    return not field.is_required() and field.default_factory is None
