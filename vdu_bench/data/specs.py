"""What a task file says about its data. Plain data, without torch."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

Phrases = Annotated[tuple[str, ...], Field(min_length=1)]


class DataSpec(BaseModel):
    """A data source and its options: ``{source: mnist, pad_to: 32}``, or the source's name alone.

    The options are the source's own, which checks them when it is first asked for something.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    source: str = Field(description="name of a data source")

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        return {"source": value} if isinstance(value, str) else value

    @property
    def options(self) -> dict[str, Any]:
        """All that is said beside the source's name."""
        return dict(self.model_extra or {})


class CaptionSpec(BaseModel):
    """The words for what an image shows: "SUBJECT with PHRASE, PHRASE and PHRASE"."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    subjects: Phrases = Field(description="ways to say what is in every image; the first is the plain one")
    phrases: dict[str, Phrases] = Field(description="for each concept that is put into words, ways to say it")
