from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import interpolate

from vdu_bench.data.squares import read_squares, square
from vdu_bench.errors import UserError


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (height, width, 3))
    return Image.fromarray(coarse.astype(np.uint8))


@pytest.mark.parametrize(("width", "height", "left", "top"), [(9, 14, 0, 2), (14, 9, 2, 0), (9, 9, 0, 0)])
def test_the_middle_square_is_cut_out(width: int, height: int, left: int, top: int) -> None:
    image = noise(width, height)
    assert np.array_equal(np.asarray(square(image, 9)), np.asarray(image)[top : top + 9, left : left + 9])


@pytest.mark.parametrize("size", [16, 45, 100])
def test_it_is_resized_as_torch_does_it_with_antialiasing(size: int) -> None:
    # Without the extremes: Pillow, in two passes, clips what overshoots after the first as well.
    image = noise(40, 50).point(lambda level: 64 + level // 2)
    middle = torch.from_numpy(np.asarray(image)[5:45].copy()).permute(2, 0, 1)[None].float()
    expected = interpolate(middle, (size, size), mode="bicubic", antialias=True).clamp(0, 255)[0]
    found = torch.from_numpy(np.asarray(square(image, size)).copy()).permute(2, 0, 1).float()
    assert float((found - expected).abs().max()) < 1.6, "Pillow rounds after each pass"


def test_files_are_read_in_order_and_in_colour(tmp_path: Path) -> None:
    noise(8, 8).save(tmp_path / "a.png")
    grey = noise(8, 8, 1).convert("L")
    grey.save(tmp_path / "b.png")
    stream = io.BytesIO()
    noise(8, 8, 2).save(stream, "PNG")
    files = [("a", tmp_path / "a.png"), ("b", tmp_path / "b.png"), ("c", stream)]
    pixels = read_squares(files, 3, 8, "squares")
    assert (pixels.dtype, tuple(pixels.shape)) == (torch.uint8, (3, 3, 8, 8))
    assert np.array_equal(pixels[0].numpy(), np.asarray(noise(8, 8)).transpose(2, 0, 1))
    assert np.array_equal(pixels[1].numpy(), np.stack([np.asarray(grey)] * 3))
    assert np.array_equal(pixels[2].numpy(), np.asarray(noise(8, 8, 2)).transpose(2, 0, 1))


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    noise(64, 64).save(tmp_path / "a.png")
    content = bytearray((tmp_path / "a.png").read_bytes())
    content[len(content) // 2] ^= 0xFF
    (tmp_path / "flipped.png").write_bytes(content)
    (tmp_path / "cut.png").write_bytes(content[:200])
    (tmp_path / "text.png").write_text("not a picture")
    for name in ("flipped", "cut", "text", "nowhere"):
        with pytest.raises(UserError, match=f"the one called {name} is missing or damaged"):
            read_squares([(f"the one called {name}", tmp_path / f"{name}.png")], 1, 8, "squares")
    with pytest.raises(UserError, match="it has 64 x 64 pixels, not 64 x 65"):
        read_squares([("it", tmp_path / "a.png")], 1, 8, "squares", original=(64, 65))


def test_no_bar_where_nobody_looks(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    noise(8, 8).save(tmp_path / "a.png")
    read_squares([("a", tmp_path / "a.png")], 1, 8, "squares")
    assert capfd.readouterr() == ("", "")


def test_a_photograph_is_turned_as_its_camera_was_held(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: turn by 90 degrees
    half = Image.new("RGB", (8, 8), "black")
    half.paste("white", (0, 0, 8, 4))
    half.save(tmp_path / "a.png", exif=exif)
    (pixels,) = read_squares([("a", tmp_path / "a.png")], 1, 8, "squares")
    assert (pixels[:, :, 4:] == 255).all()
    assert (pixels[:, :, :4] == 0).all()


def test_more_than_eight_bits_are_refused_and_not_cut_off(tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 8), 40_000, np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(UserError, match="^the deep one is of I.*, more than 8 bits a channel"):
        read_squares([("the deep one", tmp_path / "deep.png")], 1, 8, "squares")


def png(bits: int, kind: int, channels: int) -> bytes:
    """An image of 8 x 8 zeros, of a kind that Pillow does not write."""

    def chunk(name: bytes, content: bytes) -> bytes:
        length, check = (struct.pack(">I", number) for number in (len(content), zlib.crc32(name + content)))
        return length + name + content + check

    rows = (b"\0" + bytes(channels * bits)) * 8
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, bits, kind, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def tiff(bits: int) -> bytes:
    """The same in colour."""
    entries = [
        (256, 3, 1, 8), (257, 3, 1, 8), (258, 3, 3, 8), (262, 3, 1, 2), (273, 4, 1, 128), (277, 3, 1, 3),
        (278, 3, 1, 8), (279, 4, 1, 24 * bits),
    ]  # fmt: skip
    table = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return (b"II*\0" + struct.pack("<I3H", 14, bits, bits, bits) + table).ljust(128, b"\0") + bytes(24 * bits)


DEEP = {"colour": (2, 3), "grey and alpha": (4, 2), "colour and alpha": (6, 4)}
BY_BITS = {
    **{name: lambda bits, kind=kind: png(bits, *kind) for name, kind in DEEP.items()},
    "tiff": tiff,
    "ppm": lambda bits: f"P6 8 8 {2**bits - 1}\n".encode() + bytes(24 * bits),
}


@pytest.mark.parametrize("name", BY_BITS)
def test_colours_of_sixteen_bits_are_refused_too(tmp_path: Path, name: str) -> None:
    """Pillow calls them by a mode of eight."""
    (tmp_path / "deep").write_bytes(BY_BITS[name](16))
    (tmp_path / "flat").write_bytes(BY_BITS[name](8))
    for file in (tmp_path / "deep", io.BytesIO(BY_BITS[name](16))):
        with pytest.raises(
            UserError, match="^the deep one is of 16 bits, more than 8 bits a channel, .*; save it with 8"
        ):
            read_squares([("the deep one", file)], 1, 8, "squares")
    assert not read_squares([("the flat one", tmp_path / "flat")], 1, 8, "squares").any()


def test_an_image_that_would_fill_the_memory_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("L", (64, 64)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(UserError, match="it is missing or damaged: .*decompression bomb"):
        read_squares([("it", tmp_path / "a.png")], 1, 8, "squares")
