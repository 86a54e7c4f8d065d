"""What a task file says about prompts. Plain data, without torch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from vdu_bench.data.specs import CaptionSpec
from vdu_bench.errors import UserError
from vdu_bench.spec import WHOLE, Spec

Prompt = Annotated[str, Field(min_length=1)]


class PromptSpec(Spec):
    """What a text-to-image model is asked for, and how images are described to it.

    The captions' subjects are in two halves. The base learns under all of them. Methods are told of one half alone: the
    prompts `concept`, `anchor` and `preserve`, and captions of images under the given subjects; prompts for tuning are
    of this half too. The judged prompts, `forget` and `retain`, are of the other, and no method sees them: so a judge
    finds out whether the concept went, or only the sentences that a method was shown.

    Each set of prompts is gone through in turn until there are as many as images.
    """

    later: ClassVar[tuple[str, ...]] = ("preserve", "tuning", "tuning_retain", "tunes", "rephrased")

    captions: CaptionSpec = Field(description="the words for what real images show; the base learns under all subjects")
    judged_subjects: tuple[Prompt, ...] = Field(
        (), description="those of the captions' subjects that models are judged under; methods are given the others"
    )
    forget: tuple[Prompt, ...] = Field(min_length=1, description="ask for the feature that is to be forgotten")
    retain: dict[Prompt, tuple[str, ...]] = Field(
        min_length=1, description="ask for other features, or for none; for each prompt the features that it asks for"
    )
    concept: tuple[Prompt, ...] = Field(
        min_length=1, description="what methods are given: ask for the feature alone, in its phrasings"
    )
    anchor: Prompt = Field(description="what editing methods make of a concept prompt: the same without the feature")
    preserve: tuple[Prompt, ...] = Field((), description="what methods are told to keep")
    tuning: tuple[Prompt, ...] = Field(
        (), description="ask for the feature beside another one, to choose settings by: neither judged nor given"
    )
    tuning_retain: dict[Prompt, tuple[str, ...]] = Field(
        default_factory=dict, description="what goes with them as retain goes with forget"
    )
    rephrased: dict[str, tuple[Prompt, ...]] = Field(
        default_factory=dict,
        description="lists of prompts that ask for the feature in other words, by what each changes: an attacker's, "
        "neither judged nor given",
    )
    tunes: bool = Field(
        False,
        description="whether forget and retain are the prompts for tuning, which are of the given half: what "
        "vdu-bench tune makes of a task; no result is measured so",
    )

    def cycled(self, which: Literal["forget", "retain", "concept", "kept"], n: int) -> list[str]:
        """`n` prompts of one set, each as often as the others, or once more."""
        prompts = list(getattr(self, which))
        return [prompts[i % len(prompts)] for i in range(n)]

    @property
    def given_captions(self) -> CaptionSpec:
        """The captions that methods get images with."""
        return self.captions.under([subject for subject in self.captions.subjects if subject not in self._judged])

    @property
    def judged_captions(self) -> CaptionSpec:
        """The captions that probes ask for real images by."""
        return self.captions.under(self.judged_subjects)

    @property
    def kept(self) -> tuple[Prompt, ...]:
        """What methods are told of the rest: the anchor, and what is to be preserved."""
        return (self.anchor, *self.preserve)

    @property
    def told(self) -> dict[str, Any]:
        """All that methods are told, in plain data."""
        captions = self.given_captions.model_dump(mode="json")
        return {"captions": captions, "concept": list(self.concept), "kept": list(self.kept)}

    @property
    def every(self) -> list[Prompt]:
        """All that a model is asked for."""
        return [prompt for prompts in (*self._sets().values(), self._rephrased) for prompt in prompts]

    def for_tuning(self, task: str) -> PromptSpec:
        """These, with the prompts for tuning in the place of the judged ones. Raises UserError where there are none."""
        if not self.tuning or not self.tuning_retain:
            raise UserError(
                f"{task} cannot be tuned on: its prompts lack tuning and tuning_retain, neither judged nor given ones"
            )
        sets = {"forget": self.tuning, "retain": self.tuning_retain, "tuning": (), "tuning_retain": {}, "rephrased": {}}
        return PromptSpec.model_validate({**self.model_dump(context=WHOLE), **sets, "tunes": True})

    @property
    def _judged(self) -> frozenset[str]:
        return frozenset(self.judged_subjects)

    def _sets(self) -> dict[str, tuple[Prompt, ...]]:
        """All prompts that begin with a subject, by what the task file calls them."""
        return {
            "forget": self.forget,
            "retain": tuple(self.retain),
            "concept": self.concept,
            "anchor": (self.anchor,),
            "preserve": self.preserve,
            "tuning": self.tuning,
            "tuning_retain": tuple(self.tuning_retain),
        }

    @property
    def _rephrased(self) -> tuple[Prompt, ...]:
        return tuple(prompt for prompts in self.rephrased.values() for prompt in prompts)

    @model_validator(mode="after")
    def _no_empty_list(self) -> PromptSpec:
        for name, prompts in self.rephrased.items():
            if not prompts:
                raise ValueError(f"rephrased: {name!r} has no prompts")
        return self

    @model_validator(mode="after")
    def _subjects_in_two_halves(self) -> PromptSpec:
        subjects = self.captions.subjects
        if not self.judged_subjects:
            raise ValueError(
                "judged_subjects: name some of captions.subjects, for the judged prompts (forget, retain); "
                "methods are given the others, and may not see what they are judged by"
            )
        if unknown := sorted(self._judged - set(subjects)):
            raise ValueError(f"judged_subjects: {unknown[0]!r} is none of captions.subjects")
        if self._judged == set(subjects):
            raise ValueError(
                "judged_subjects: all of captions.subjects are judged, and none is left to give to methods"
            )
        return self

    @model_validator(mode="after")
    def _sets_are_apart(self) -> PromptSpec:
        owners: dict[str, str] = {}
        for name, prompts in {**self._sets(), "rephrased": self._rephrased}.items():
            for prompt in map(_plain, prompts):
                if (owner := owners.setdefault(prompt, name)) != name:
                    raise ValueError(f"{prompt!r} is both a {owner} and a {name} prompt")
        return self

    @model_validator(mode="after")
    def _halves_are_kept(self) -> PromptSpec:
        """No prompt begins with a subject of the other half, so that none can be a caption of it."""
        given, judged = self.given_captions, self.judged_captions
        for name, prompts in self._sets().items():
            of_judged = name in ("forget", "retain") and not self.tunes
            own, other, whose = (judged, given, "given") if of_judged else (given, judged, "judged")
            for prompt in map(_plain, prompts):
                subject = _begins(prompt, [*own.subjects, *other.subjects])
                if subject in map(_plain, other.subjects) or _lowered(other).makes(prompt):
                    raise ValueError(
                        f"{name}: {prompt!r} begins with a subject of the {whose} half, {', '.join(other.subjects)}; "
                        f"begin with one of {', '.join(own.subjects)}, or change judged_subjects"
                    )
        return self


def _plain(text: str) -> str:
    """As text encoders read it: capitals and spaces make no other prompt."""
    return " ".join(text.lower().split())


def _lowered(captions: CaptionSpec) -> CaptionSpec:
    phrases = {name: tuple(map(_plain, said)) for name, said in captions.phrases.items()}
    subjects = tuple(map(_plain, captions.subjects))
    return captions.model_copy(update={"subjects": subjects, "phrases": phrases, "link": _plain(captions.link)})


def _begins(prompt: str, subjects: Iterable[str]) -> str:
    """The longest of the subjects that a prompt begins with, or none: "a portrait" is not that of "a portrait of"."""
    found = [subject for subject in map(_plain, subjects) if f"{prompt} ".startswith(f"{subject} ")]
    return max(found, key=len, default="")
