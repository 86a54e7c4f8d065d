"""What was encoded once is not encoded again, and is the same to the bit."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from vdu_bench.methods.encoded import Encoded, Kept
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM


def pictures(n: int, *shape: int) -> Tensor:
    return torch.randint(256, (n, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_an_image_is_encoded_once(tiny_text_to_image: TextToImage, monkeypatch: pytest.MonkeyPatch) -> None:
    images, encoded = pictures(9, *tiny_text_to_image.image_shape), []
    encode = tiny_text_to_image.encode
    monkeypatch.setattr(tiny_text_to_image, "encode", lambda found: encoded.append(len(found)) or encode(found))
    latents = Encoded(tiny_text_to_image, images, torch.tensor([8, 1, 3, 5]))
    first = latents(torch.tensor([0, 1, 2]))
    torch.testing.assert_close(first, encode(images[[8, 1, 3]]))
    again = latents(torch.tensor([2, 0]))
    assert torch.equal(again, first[[2, 0]])
    assert encoded == [3]
    latents(torch.tensor([3, 0]))
    assert encoded == [3, 2], "a batch with a new one is made as a whole, as it always was"


def test_what_is_handed_out_may_be_changed(tiny_text_to_image: TextToImage) -> None:
    latents = Encoded(tiny_text_to_image, pictures(2, *tiny_text_to_image.image_shape), torch.arange(2))
    first = latents(torch.arange(2))
    kept = first.clone()
    first.zero_()
    second = latents(torch.arange(2))
    assert torch.equal(second, kept)
    second.zero_()
    assert torch.equal(latents(torch.arange(2)), kept)


def test_pixels_are_moved_once_and_scaled_each_time(tiny_model: UnconditionalDDPM) -> None:
    images, index = pictures(6, *tiny_model.image_shape), torch.tensor([5, 0, 2])
    here = Encoded(tiny_model, images, index)
    assert torch.equal(here(torch.tensor([2, 0])), tiny_model.encode(images[[2, 5]]))
    there = Encoded(tiny_model.to("meta"), images, index)
    assert there(torch.tensor([2, 0])).device.type == "meta"
    assert there._there is not None
    assert len(there._there) == 3, "of a pool its own images alone"


def test_the_oldest_go_where_it_becomes_too_much() -> None:
    kept, made = Kept[str](limit=3 * 8), []

    def ask(*keys: str) -> Tensor | None:
        def make() -> Tensor:
            made.append("".join(keys))
            return torch.tensor([[float(ord(key))] * 2 for key in keys])

        return kept.of(keys, make)

    for keys in ("ab", "c", "ba", "d", "bcd", "a"):
        found = ask(*keys)
        assert found is not None
        assert found[:, 0].tolist() == [ord(key) for key in keys]
    assert made == ["ab", "c", "d", "a"]


def test_what_learns_is_made_anew() -> None:
    weight, made = torch.ones(1, requires_grad=True), []

    def make() -> Tensor:
        made.append(1)
        return torch.ones(2, 1) * weight

    kept = Kept[int]()
    asked: Sequence[int] = (1, 2)
    for _ in range(2):
        assert kept.of(asked, make) is not None
    assert len(made) == 2
    assert kept.of((), lambda: torch.zeros(0, 1)) is not None
