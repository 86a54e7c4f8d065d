from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from vdu_bench.data.captions import Captions, words_of
from vdu_bench.data.specs import CaptionSpec
from vdu_bench.errors import UserError

NAMES = ("eyeglasses", "hat", "bangs", "long_hair", "beard")
SPEC = CaptionSpec(
    subjects=("a portrait of a person", "a face"),
    phrases={
        "eyeglasses": ("eyeglasses", "glasses"),
        "hat": ("a hat",),
        "bangs": ("bangs", "a fringe"),
        "long_hair": ("long hair",),
        "beard": ("a beard",),
    },
)
CAPTIONS = Captions(SPEC, NAMES)
MEANING = {phrase: name for name, phrases in SPEC.phrases.items() for phrase in phrases}

concepts = st.lists(st.lists(st.booleans(), min_size=5, max_size=5), min_size=1, max_size=8)


def read(caption: str) -> tuple[str, list[str]]:
    """Subject and named concepts, by the grammar alone: "SUBJECT with PHRASE, PHRASE and PHRASE"."""
    subject, _, rest = caption.partition(" with ")
    phrases = rest.replace(" and ", ", ").split(", ") if rest else []
    return subject, [MEANING[phrase] for phrase in phrases]


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ((), "a portrait of a person"),
        (("bangs",), "a portrait of a person with bangs"),
        (("eyeglasses", "hat"), "a portrait of a person with eyeglasses and a hat"),
        (("beard", "hat", "long_hair"), "a portrait of a person with a hat, long hair and a beard"),
    ],
)
def test_the_plain_caption(shown: tuple[str, ...], expected: str) -> None:
    assert CAPTIONS.plain(torch.tensor([[name in shown for name in NAMES]])) == [expected]


@given(concepts, st.integers(0, 2**32 - 1))
def test_captions_name_what_is_shown_each_once_and_nothing_else(rows: list[list[bool]], seed: int) -> None:
    table = torch.tensor(rows)
    drawn = CAPTIONS.drawn(table, torch.Generator().manual_seed(seed))
    for captions in (CAPTIONS.plain(table), drawn):
        assert len(captions) == len(rows)
        for caption, row in zip(captions, rows, strict=True):
            subject, named = read(caption)
            assert subject in SPEC.subjects
            assert sorted(named) == sorted(name for name, shown in zip(NAMES, row, strict=True) if shown)


def test_the_columns_may_be_in_any_order_and_have_no_words() -> None:
    spec = CaptionSpec(subjects=("a face",), phrases={"hat": ("a hat",), "beard": ("a beard",)})
    captions = Captions(spec, ("beard", "nose", "hat"))
    table = torch.tensor([[True, True, False], [False, True, True], [True, False, True]])
    # In the order that the phrases are listed in, which is not that of the columns.
    assert captions.plain(table) == ["a face with a beard", "a face with a hat", "a face with a hat and a beard"]


def test_every_subject_phrase_and_order_is_drawn() -> None:
    row = torch.tensor([[True, False, True, False, False]])
    drawn = CAPTIONS.drawn(row.expand(400, -1), torch.Generator().manual_seed(0))
    # Two subjects, two phrases for each of the two concepts, in two orders.
    assert len(set(drawn)) == 2 * 2 * 2 * 2
    assert CAPTIONS.drawn(row.expand(400, -1), torch.Generator().manual_seed(0)) == drawn


def test_a_concept_that_the_data_do_not_have_is_named() -> None:
    spec = CaptionSpec(subjects=("a face",), phrases={"eyeglases": ("glasses",)})
    with pytest.raises(UserError, match="phrases for 'eyeglases'.*did you mean 'eyeglasses'"):
        Captions(spec, NAMES)


def test_the_words_are_all_that_captions_are_made_of() -> None:
    words = words_of(SPEC)
    assert words == sorted(set(words))
    generator = torch.Generator().manual_seed(0)
    table = torch.rand(300, 5, generator=generator) < 0.5
    for caption in [*CAPTIONS.plain(table), *CAPTIONS.drawn(table, generator)]:
        assert set(caption.replace(",", " ,").split()) <= set(words)
    assert "nose" not in words


def test_captions_are_told_from_other_texts() -> None:
    words = CaptionSpec(
        subjects=("a portrait", "a face"),
        phrases={"hat": ("a hat", "a hat and a scarf"), "beard": ("a beard",), "x": ("x",)},
    )
    shown = torch.cartesian_prod(*[torch.tensor([False, True])] * 3).repeat(60, 1)
    drawn = Captions(words, ("hat", "beard", "x")).drawn(shown, torch.Generator().manual_seed(0))
    assert len(set(drawn)) > 50
    assert all(words.makes(caption) for caption in drawn)
    assert not any(words.under(["a picture"]).makes(caption) for caption in drawn)
    for text in (
        "", "a", "a portrait with", "a portrait with ", "a portrait of a hat", "a face with a hat and", "face with x",
        "a face with a hat, a beard", "a face with a hat and a hat", "a face with a hat, x and a hat",
        "a face with hat",         "a face with a hat and x and a beard", "with a hat", "a hat", "a face with a hats",
    ):  # fmt: skip
        assert not words.makes(text), text


def test_one_half_of_the_subjects_has_the_same_phrases() -> None:
    half = SPEC.under(SPEC.subjects[1:])
    assert (half.subjects, half.phrases) == (SPEC.subjects[1:], SPEC.phrases)
    assert Captions(half, NAMES).plain(torch.zeros(1, len(NAMES), dtype=torch.bool)) == [SPEC.subjects[1]]


def test_classes_are_put_into_words_by_another_link() -> None:
    words = CaptionSpec(subjects=("a photo", "an image"), phrases={"n03028079": ("a church",)}, link="of")
    captions = Captions(words, ("n03028079", "n03888257"))
    shown = torch.tensor([[True, False], [False, True]])
    assert captions.plain(shown) == ["a photo of a church", "a photo"]
    assert set(captions.drawn(shown[:1].expand(20, -1), torch.Generator().manual_seed(0))) == {
        "a photo of a church",
        "an image of a church",
    }
    assert words.makes("an image of a church")
    assert not words.makes("an image with a church")
    assert not words.under(["a photo"]).makes("an image of a church")
    assert words.under(["a photo"]).makes("a photo of a church")
    assert "of" in words_of(words)
    assert "with" not in words_of(words)


@pytest.mark.parametrize("link", ["", " of", "of ", "of  a"])
def test_a_link_is_words(link: str) -> None:
    with pytest.raises(ValidationError, match="link"):
        CaptionSpec(subjects=("a photo",), phrases={"church": ("a church",)}, link=link)


def test_the_usual_link_is_left_out_of_addresses() -> None:
    assert "link" not in SPEC.model_dump(mode="json")
    assert SPEC.model_copy(update={"link": "of"}).model_dump(mode="json")["link"] == "of"
