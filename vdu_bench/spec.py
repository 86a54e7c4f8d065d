"""The base of all plain data that is read from files, and the digest that tells two pieces of it apart."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, ClassVar, get_args, get_origin

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

PositiveInt = Annotated[int, Field(gt=0)]


WHOLE = "whole"
"""The context of a dump that leaves nothing out."""


class Spec(BaseModel):
    """The base of all that is read from files: an unknown key is an error, and values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    later: ClassVar[tuple[str, ...]] = ()
    """Settings that are younger than artifacts of their kind, whose addresses are made of dumps. At their defaults they
    are left out of a dump, so that what was made before them is still found."""

    @model_validator(mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, values: Any) -> Any:
        # As texts, which pydantic refuses as numbers: true and false themselves it would read as 1 and 0.
        if not isinstance(values, Mapping):
            return values
        return {name: _truths_as_texts(value) if _numbers_alone(cls, name) else value for name, value in values.items()}

    @model_serializer(mode="wrap")
    def _without_later_defaults(
        self, handler: SerializerFunctionWrapHandler, info: SerializationInfo
    ) -> dict[str, Any]:
        dump: dict[str, Any] = handler(self)
        if info.context == WHOLE:
            return dump
        for name in self.later:
            # Not the dumped value: in JSON a tuple has become a list.
            if getattr(self, name) == type(self).model_fields[name].get_default(call_default_factory=True):
                dump.pop(name, None)
        return dump


def _truths_as_texts(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _truths_as_texts(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_truths_as_texts(one) for one in value]
    return json.dumps(value) if isinstance(value, bool) else value


@cache
def _numbers_alone(spec: type[Spec], name: str) -> bool:
    """Whether a field takes numbers, or several, and neither truth values nor texts that may be any."""
    field = spec.model_fields.get(name)
    leaves, waiting = set(), [] if field is None else [field.annotation]
    while waiting:
        kind = waiting.pop()
        inner = get_args(kind)
        waiting += inner[1:] if get_origin(kind) in (dict, Mapping) else inner
        if not inner:
            leaves.add(kind)
    return bool(leaves & {int, float}) and not leaves & {bool, str, Any, object}


def digest_of(data: Any) -> str:
    """sha256 of plain data in canonical JSON."""
    return hashlib.sha256(json.dumps(data, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
