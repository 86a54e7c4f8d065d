"""What a task file says about its data. Plain data, without torch."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from vdu_bench.spec import Spec

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


class CaptionSpec(Spec):
    """The words for what an image shows: "SUBJECT with PHRASE, PHRASE and PHRASE"."""

    later: ClassVar[tuple[str, ...]] = ("link",)

    subjects: Phrases = Field(description="ways to say what is in every image; the first is the plain one")
    phrases: dict[str, Phrases] = Field(description="for each concept that is put into words, ways to say it")
    link: str = Field(
        "with", pattern=r"^\S+( \S+)*$", description='what stands between the two: "of" makes "a photo of a church"'
    )

    def under(self, subjects: Collection[str]) -> CaptionSpec:
        """The same phrases under these subjects alone, of which the first is the plain one."""
        return self.model_copy(update={"subjects": tuple(subjects)})

    def caption(self, subject: str, phrases: Sequence[str]) -> str:
        """A subject with its phrases, in their order; alone where there are none."""
        if not phrases:
            return subject
        listed = " and ".join([", ".join(phrases[:-1]), phrases[-1]] if len(phrases) > 1 else phrases)
        return f"{subject} {self.link} {listed}"

    def makes(self, text: str) -> bool:
        """Whether `text` is one of these captions, of whatever concepts."""
        if text in self.subjects:
            return True
        beginnings = [f"{subject} {self.link} " for subject in self.subjects]
        return any(
            self._lists(text.removeprefix(beginning), frozenset(self.phrases))
            for beginning in beginnings
            if text.startswith(beginning)
        )

    def _lists(self, text: str, names: frozenset[str], first: bool = True) -> bool:
        """Whether it reads "PHRASE", "PHRASE and PHRASE" or "PHRASE, PHRASE and PHRASE", each of another concept."""
        for name in names:
            for phrase in self.phrases[name]:
                others, rest = names - {name}, text.removeprefix(phrase)
                if not text.startswith(phrase):
                    continue
                if not rest and first:
                    return True
                if rest.startswith(" and ") and rest.removeprefix(" and ") in self._said(others):
                    return True
                if rest.startswith(", ") and self._lists(rest.removeprefix(", "), others, first=False):
                    return True
        return False

    def _said(self, names: Collection[str]) -> list[str]:
        return [phrase for name in names for phrase in self.phrases[name]]
