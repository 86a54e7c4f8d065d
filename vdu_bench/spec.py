"""The base of all plain data that is read from files, and the digest that tells two pieces of it apart."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, SerializationInfo, SerializerFunctionWrapHandler, model_serializer

PositiveInt = Annotated[int, Field(gt=0)]


WHOLE = "whole"
"""The context of a dump that leaves nothing out."""


class Spec(BaseModel):
    """The base of all that is read from files: an unknown key is an error, and values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    later: ClassVar[tuple[str, ...]] = ()
    """Settings that are younger than artifacts of their kind, whose addresses are made of dumps. At their defaults they
    are left out of a dump, so that what was made before them is still found."""

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


def digest_of(data: Any) -> str:
    """sha256 of plain data in canonical JSON."""
    return hashlib.sha256(json.dumps(data, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
