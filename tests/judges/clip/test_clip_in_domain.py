from __future__ import annotations

from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from vdu_bench.errors import UserError
from vdu_bench.judges.clip.in_domain import MERGES, InDomainClip
from vdu_bench.judges.clip.specs import ClipRecipe
from vdu_bench.judges.clip.words import pack_merges, unpack_merges, word_merges

WORDS = ("a", "art", "bangs", "beard", "hat", "person", "pixel", "portrait", "that", "with", ",")
PROMPTS = ["a person with a hat", "a person with bangs , beard", "zebra!", "a person with a hat"]


def recipe(seed: int = 0, heads: int = 2, **vision: Any) -> ClipRecipe:
    network = {
        "embed_dim": 8,
        "vision_cfg": {"image_size": 16, "patch_size": 4, "width": 32, "layers": 1, "head_width": 16, **vision},
        "text_cfg": {"width": 16, "heads": heads, "layers": 1},
    }
    return ClipRecipe.model_validate(
        {
            "name": "clip_test",
            "network": network,
            "context_length": 10,
            "training": {"steps": 1, "learning_rate": 0.1},
            "seed": seed,
        }
    )


def tokenizer(words: tuple[str, ...] | list[str], folder: Path) -> open_clip.SimpleTokenizer:
    (folder / MERGES).write_bytes(pack_merges(word_merges(words)))
    return open_clip.SimpleTokenizer(bpe_path=str(folder / MERGES))


@pytest.fixture
def scorer() -> InDomainClip:
    return InDomainClip(recipe(), word_merges(WORDS))


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.randint(256, (4, 3, 16, 16), generator=torch.Generator().manual_seed(0)).to(torch.uint8)


def test_every_word_is_one_token_and_no_other_is_unknown(tmp_path: Path) -> None:
    """Also where the merges of one word meet in another: those of "hat" in "that", of "art" in "beard"."""
    words = tokenizer(WORDS, tmp_path)
    assert [len(words.encode(word)) for word in WORDS] == [1] * len(WORDS)
    assert words.vocab_size < 600
    assert words.decode(words.encode("A zebra, naïve; 7 ☂")).strip() == "a zebra , naïve ; 7 ☂"


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text("abcé", min_size=1, max_size=8), min_size=1, max_size=8, unique=True))
def test_any_words_are_one_token_each(tmp_path_factory: pytest.TempPathFactory, words: list[str]) -> None:
    own = tokenizer(words, tmp_path_factory.mktemp("words"))
    tokens = [own.encode(word) for word in words]
    assert [len(token) for token in tokens] == [1] * len(words)
    assert len({token[0] for token in tokens}) == len(words)


def test_equal_merges_are_equal_bytes() -> None:
    merges = word_merges(WORDS)
    assert pack_merges(merges) == pack_merges(list(merges))
    assert unpack_merges(pack_merges(merges)) == merges
    assert unpack_merges(pack_merges([])) == []


def test_the_name_says_what_it_is(scorer: InDomainClip) -> None:
    assert scorer.name == "clip_test/fp32"


def test_saved_and_loaded(scorer: InDomainClip, images: Tensor, tmp_path: Path) -> None:
    with torch.no_grad():
        scorer.model.text_projection.mul_(1.5)
    scorer.save(tmp_path)
    again = InDomainClip.load(tmp_path)
    assert again.recipe == scorer.recipe
    assert again.merges == scorer.merges
    assert again.digest() == scorer.digest()
    assert torch.equal(again.score(images, PROMPTS), scorer.score(images, PROMPTS))


def test_open_clip_reads_the_folder_and_scores_alike(scorer: InDomainClip, images: Tensor, tmp_path: Path) -> None:
    """By open_clip's documented usage, on PIL images."""
    scorer.save(tmp_path)
    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{tmp_path}")
    words = open_clip.get_tokenizer(f"local-dir:{tmp_path}", bpe_path=str(tmp_path / MERGES))
    large = torch.nn.functional.interpolate(images.float(), (40, 24), mode="bilinear").round().to(torch.uint8)
    for size in (images, large):
        pictures = [preprocess(Image.fromarray(image.permute(1, 2, 0).numpy())) for image in size]
        with torch.no_grad():
            seen = model.eval().encode_image(torch.stack(pictures))
            told = model.encode_text(words(PROMPTS))
        seen /= seen.norm(dim=-1, keepdim=True)
        told /= told.norm(dim=-1, keepdim=True)
        expected = 100 * (seen @ told.T).diagonal()
        torch.testing.assert_close(scorer.score(size, PROMPTS).float(), expected, atol=1e-5, rtol=1e-6)
        assert expected.std() > 0.1


def test_weights_are_the_seed_s_alone() -> None:
    torch.manual_seed(1)
    merges = word_merges(WORDS)
    first, state = InDomainClip(recipe(), merges).digest(), torch.get_rng_state()
    torch.manual_seed(2)
    assert InDomainClip(recipe(), merges).digest() == first
    assert InDomainClip(recipe(seed=1), merges).digest() != first
    torch.manual_seed(1)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("wrong", [{"widht": 32}, {"heads": 3}])
def test_a_network_that_open_clip_does_not_make_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(UserError, match="clip_test: open_clip makes no model of its network"):
        InDomainClip(recipe(**wrong), word_merges(WORDS))


def test_a_prompt_of_the_whole_context_fits_and_no_longer_one(scorer: InDomainClip) -> None:
    scorer.embed_prompts(["a " * 8])
    with pytest.raises(UserError, match="longer than the 10 tokens"):
        scorer.embed_prompts(["a person", "a " * 9])
    with pytest.raises(UserError, match="'zebra zebra zebra' is longer"):
        scorer.embed_prompts(["zebra zebra zebra"])
